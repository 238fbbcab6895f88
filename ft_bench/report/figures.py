"""Figures: numbers as a person reads them. A number that is not there is a dash."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from ft_bench.record import Interval, Score, Usage

__all__ = [
    "count",
    "excludes_zero",
    "interval",
    "limits",
    "metric_name",
    "number",
    "percent",
    "score",
    "seconds",
    "signed",
    "usage",
]

_METRICS = {"macro_f1": "Macro-F1", "micro_f1": "Micro-F1", "rouge1": "ROUGE-1"}


def metric_name(metric: str) -> str:
    """A metric's name as papers write it."""
    return _METRICS.get(metric, metric.replace("_", " "))


def number(value: float | None) -> str:
    """Three decimals; fewer above ten, one significant digit below a thousandth."""
    if value is None or not isfinite(value):
        return "–"
    if 0 < abs(value) < 0.0005:
        text = f"{value:.0e}" if abs(value) < 1e-6 else f"{value:.6f}".rstrip("0")
    else:
        text = f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return text.replace("-", "−", 1) if value < 0 else text


def signed(value: float | None) -> str:
    """A difference: always with its sign."""
    text = number(value)
    return text if text[0] in "–−" else f"+{text}"


def percent(value: float | None, *, sign: bool = False) -> str:
    """A share or a normalised gain in whole percent, one decimal below ten."""
    if value is None or not isfinite(value):
        return "–"
    digits = 0 if abs(value) >= 0.0995 or value == 0 else 1
    text = f"{value:+.{digits}%}" if sign else f"{value:.{digits}%}"
    return text.replace("-", "−")


def interval(ci: Interval) -> str:
    """The two ends, "0.680 to 0.740"."""
    return f"{number(ci.low)} to {number(ci.high)}"


def excludes_zero(ci: Interval) -> bool:
    """Whether the interval of a difference lies wholly on one side of zero."""
    return ci.low > 0 or ci.high < 0


def score(found: Score | None) -> str:
    """A score with its interval and items, "0.712 (0.680 to 0.740, n 300)"."""
    if found is None:
        return "not scored"
    invalid = f", {found.invalid:,} invalid" if found.invalid else ""
    return f"{number(found.value)} ({interval(found.ci)}, n {found.n:,}{invalid})"


def seconds(value: float | None) -> str:
    """A duration: "0.4 s", "12 s", "3 min 20 s", "5 h 07 min", "2 d 3 h"."""
    if value is None or not isfinite(value):
        return "–"
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 2 * 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def count(many: int, noun: str, plural: str = "") -> str:
    """ "1 node", "3 nodes"."""
    return f"{many:,} {noun if many == 1 else plural or noun + 's'}"


def usage(used: Usage) -> str:
    """What was used of each limit, leaving out what was not touched."""
    parts = [
        count(used.iterations, "iteration"),
        f"{seconds(used.device_seconds)} of device",
        f"{seconds(used.wall_seconds)} of wall clock",
    ]
    if used.tokens:
        parts.append(f"{used.tokens:,} tokens")
    if used.usd:
        parts.append(f"${used.usd:.2f}")
    return ", ".join(parts)


def limits(budget: Mapping[str, Any]) -> str:
    """The limits of a run, leaving out those that were not set."""
    parts = []
    if isinstance(budget.get("iterations"), int):
        parts.append(count(budget["iterations"], "iteration"))
    for name, word in (("device_seconds", "device"), ("wall_seconds", "wall clock")):
        if isinstance(budget.get(name), int | float):
            parts.append(f"{seconds(budget[name])} of {word}")
    if isinstance(budget.get("tokens"), int):
        parts.append(f"{budget['tokens']:,} tokens")
    if isinstance(budget.get("usd"), int | float):
        parts.append(f"${budget['usd']:.2f}")
    return ", ".join(parts) or "none"
