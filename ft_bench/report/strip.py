"""Strip: values with their intervals, one below the other on one axis, as a drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from ft_bench.record import Card
from ft_bench.report.axis import axis_over

__all__ = ["Entry", "Mark", "Strip", "effects", "landing", "strip"]

WIDTH = 640
_LABELS, _ROW, _TOP = 190, 30, 8


@dataclass(frozen=True, slots=True)
class Entry:
    """A value to be drawn; without an interval where nobody knows one. `tone` is its role."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Mark:
    """An entry in its place; `start` and `end` are the pixels of its interval."""

    entry: Entry
    x: float
    y: float
    start: float | None
    end: float | None


@dataclass(frozen=True, slots=True)
class Strip:
    """The drawing, in pixels; `zero` is where nought is, if it was asked for."""

    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    zero: float | None
    height: int
    width: int = WIDTH
    labels: int = _LABELS


def strip(entries: Sequence[Entry], *, zero: bool = False) -> Strip:
    """Draw entries from top to bottom; `zero` keeps nought on the axis and marks it."""
    ends = [e for entry in entries for e in (entry.value, entry.low, entry.high) if e is not None]
    axis = axis_over([*ends, *([0.0] if zero else [])], _LABELS + 12, WIDTH - 24)
    marks = tuple(
        Mark(
            entry=entry,
            x=axis.at(entry.value),
            y=_TOP + _ROW * (place + 0.5),
            start=None if entry.low is None else axis.at(entry.low),
            end=None if entry.high is None else axis.at(entry.high),
        )
        for place, entry in enumerate(entries)
    )
    return Strip(
        marks=marks,
        ticks=tuple(axis.ticks(6)),
        zero=axis.at(0.0) if zero else None,
        height=_TOP + _ROW * len(entries) + 30,
    )


def landing(card: Card) -> Strip:
    """Where the run landed: base, test, validation, confirmed mean, reference."""
    scores = [
        ("base on test", card.base_test, "plain"),
        ("this model on test", card.test, "chosen"),
    ]
    if card.validation is not None:
        scores.append(("on validation (selected on)", card.validation, "plain"))
    entries = [
        Entry(label, found.value, found.ci.low, found.ci.high, tone)
        for label, found, tone in scores
    ]
    if card.confirmed_value is not None and card.confirmed is not None:
        ends = card.confirmed.low, card.confirmed.high
        entries.append(Entry("fresh seeds, validation", card.confirmed_value, *ends))
    if card.gain.reference is not None:
        entries.append(Entry("reference, published", card.gain.reference))
    return strip(entries)


def effects(value: Any) -> Strip | None:
    """Insights as the agent left them, where each has a feature, an effect and its interval."""
    items = value if isinstance(value, list) else []
    entries = [entry for item in items if (entry := _effect(item)) is not None]
    return strip(entries, zero=True) if entries else None


def _effect(item: Any) -> Entry | None:
    if not isinstance(item, dict) or not isinstance(item.get("feature"), str):
        return None
    numbers = [item.get(name) for name in ("effect", "low", "high")]
    if not all(isinstance(n, int | float) and isfinite(n) for n in numbers):
        return None
    effect, low, high = (float(n) for n in numbers if n is not None)
    tone = "plain" if low <= 0 <= high else "chosen"
    return Entry(item["feature"], effect, low, high, tone)
