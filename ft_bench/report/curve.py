"""Curve: the growth of a run as a drawing: every node a point, and the best so far as a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ft_bench.record import Interval
from ft_bench.report.axis import Axis, axis_over
from ft_bench.report.history import History
from ft_bench.tree import Node, Tree

__all__ = ["Curve", "Point", "growth"]

WIDTH, HEIGHT = 560, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 16, 14, 44
_MANY = 60


@dataclass(frozen=True, slots=True)
class Point:
    """A node. A failed one has no value and lies on the axis; `low` and `high` are pixels."""

    node: int
    x: float
    y: float
    value: float | None
    shape: Literal["scored", "failed", "running"]
    low: float | None = None
    high: float | None = None
    on_path: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """Everything that the drawing shows, in pixels; `best` is the d of an SVG path.

    A crowded drawing has small points below the line instead of large ones on it.
    """

    label: str
    points: tuple[Point, ...]
    best: str
    base: float | None
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    crowded: bool
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    floor: int = HEIGHT - _BOTTOM

    @property
    def radius(self) -> float:
        """Of a point."""
        return 2.5 if self.crowded else 4.5


def growth(history: History) -> list[Curve]:
    """By iteration, and by device time where that was metered; nothing before the first node."""
    tree = history.tree
    if not len(tree):
        return []
    by_node = {node.id: float(node.id) for node in tree}
    curves = [_curve(history, by_node, "node (0 is the baseline)", whole=True)]
    minutes = {node: seconds / 60 for node, seconds in history.device_seconds_at.items()}
    if max(minutes.values(), default=0.0) > 0:
        unit, scale = ("hours", 60.0) if max(minutes.values()) >= 180 else ("minutes", 1.0)
        places = {node: at / scale for node, at in minutes.items()}
        curves.append(_curve(history, places, f"device-{unit}"))
    return curves


def _curve(history: History, places: dict[int, float], label: str, *, whole: bool = False) -> Curve:
    tree = history.tree
    x = axis_over([0.0, *places.values()], _LEFT, WIDTH - _RIGHT, margin=0.03)
    y = axis_over(_values(tree), HEIGHT - _BOTTOM, _TOP)
    points = tuple(
        _point(tree, node, x.at(places[node.id]), y, node.id in history.path)
        for node in tree
        if node.id in places
    )
    return Curve(
        label=label,
        points=points,
        best=_best(tree, places, x, y),
        base=y.at(tree.base.value) if tree.base else None,
        x_ticks=tuple(x.ticks(8, least=1.0 if whole else 0.0)),
        y_ticks=tuple(y.ticks(5)),
        crowded=len(tree) > _MANY,
    )


def _values(tree: Tree) -> list[float]:
    found = [tree.base.value] if tree.base else []
    for node in tree:
        ci = _interval(tree, node)
        value = tree.value(node.id)
        found += [value] if value is not None else []
        found += [ci.low, ci.high] if ci else []
    return found


def _interval(tree: Tree, node: Node) -> Interval | None:
    """The interval of a node's best score; left out where so many would hide the points."""
    best = node.best(tree.direction)
    return best.score.ci if best and best.score and len(tree) <= _MANY else None


def _point(tree: Tree, node: Node, x: float, y: Axis, on_path: bool) -> Point:
    value, ci = tree.value(node.id), _interval(tree, node)
    if value is None:
        shape: Literal["failed", "running"] = "failed" if node.status == "failed" else "running"
        return Point(node.id, x, HEIGHT - _BOTTOM, None, shape, on_path=on_path)
    return Point(
        node=node.id,
        x=x,
        y=y.at(value),
        value=value,
        shape="scored",
        low=y.at(ci.low) if ci else None,
        high=y.at(ci.high) if ci else None,
        on_path=on_path,
    )


def _best(tree: Tree, places: dict[int, float], x: Axis, y: Axis) -> str:
    """The best so far: it moves up where a node beat it, and goes on to the last node."""
    parts = ""
    for node, value in tree.curve():
        at, height = x.at(places[node]), y.at(value)
        parts += f"H{at}V{height}" if parts else f"M{at} {height}"
    return parts + (f"H{x.at(max(places.values()))}" if parts else "")
