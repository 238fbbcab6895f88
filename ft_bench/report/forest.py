"""Forest: the search tree laid out as a drawing, the root at the left, one line for each leaf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ft_bench.report.figures import number, signed
from ft_bench.report.history import History
from ft_bench.report.tree_text import STRATEGIES, delta_to_parent, node_verdict, walk
from ft_bench.tree import Node, Tree

__all__ = ["Edge", "Forest", "Spot", "forest"]

Shape = Literal["circle", "square", "diamond", "cross"]
_COLUMN, _ROW, _MARGIN = 132, 44, 26


@dataclass(frozen=True, slots=True)
class Spot:
    """A node's place. The shape tells its status, `tone` its verdict, `words` the rest."""

    node: int
    x: float
    y: float
    shape: Shape
    tone: str
    value: str
    strategy: str
    words: str
    on_path: bool
    chosen: bool


@dataclass(frozen=True, slots=True)
class Edge:
    """A line from parent to child; `d` of an SVG path."""

    d: str
    on_path: bool


@dataclass(frozen=True, slots=True)
class Forest:
    """The whole drawing, in pixels."""

    width: int
    height: int
    spots: tuple[Spot, ...]
    edges: tuple[Edge, ...]


def forest(history: History) -> Forest:
    """Lay out the tree; a parent stands half-way between its first and its last child."""
    tree, path = history.tree, history.path
    places = _places(tree)
    spots = tuple(_spot(tree, node, places[node.id], path) for node in tree)
    edges = [
        Edge(_line(places[node.parent], places[node.id]), node.id in path)
        for node in tree
        if node.parent is not None
    ]
    return Forest(
        width=round(max((x for x, _ in places.values()), default=0)) + _COLUMN,
        height=round(max((y for _, y in places.values()), default=0)) + _ROW,
        spots=spots,
        edges=tuple(sorted(edges, key=lambda edge: edge.on_path)),
    )


def _places(tree: Tree) -> dict[int, tuple[float, float]]:
    order = list(walk(tree))
    below: dict[int, list[int]] = {}
    for place in order:
        if place.node.parent is not None:
            below.setdefault(place.node.parent, []).append(place.node.id)
    rows: dict[int, float] = {}
    leaf = 0
    for place in order:
        if place.node.id not in below:
            rows[place.node.id] = leaf
            leaf += 1
    for place in reversed(order):
        children = below.get(place.node.id)
        if children:
            rows[place.node.id] = (rows[children[0]] + rows[children[-1]]) / 2
    return {
        place.node.id: (_MARGIN + _COLUMN * len(place.more), _MARGIN + _ROW * rows[place.node.id])
        for place in order
    }


def _line(start: tuple[float, float], end: tuple[float, float]) -> str:
    middle = end[0] - 0.4 * _COLUMN
    return (
        f"M{start[0]:g} {start[1]:g}C{middle:g} {start[1]:g} {middle:g} {end[1]:g} "
        f"{end[0]:g} {end[1]:g}"
    )


def _spot(tree: Tree, node: Node, at: tuple[float, float], path: tuple[int, ...]) -> Spot:
    verdict = node_verdict(node)
    value = number(tree.value(node.id))
    strategy = STRATEGIES[node.plan.strategy]
    delta = signed(delta_to_parent(tree, node))
    return Spot(
        node=node.id,
        x=at[0],
        y=at[1],
        shape=_shape(node),
        tone=verdict.replace(" ", "-"),
        value=value,
        strategy=strategy,
        words=f"Node {node.id}: {strategy}, {verdict}, {value} ({delta} to its parent)",
        on_path=node.id in path,
        chosen=bool(path) and node.id == path[-1],
    )


def _shape(node: Node) -> Shape:
    if node.status == "failed":
        return "cross"
    if node.status == "running":
        return "diamond"
    return "square" if node.parent is None else "circle"
