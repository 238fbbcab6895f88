"""Figure: mean best-so-far against trainings, one panel a task, as a small SVG."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
from numpy.typing import NDArray

from ft_bench.report.axis import Axis, axis_over

__all__ = ["figure"]

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _LEGEND = 420, 300, 48, 28, 36, 170
_COLOURS = (
    "#d62728",
    "#7f7f7f",
    "#17becf",
    "#ff7f0e",
    "#e377c2",
    "#9467bd",
    "#2ca02c",
    "#98df8a",
    "#1f77b4",
    "#bcbd22",
)


def figure(panels: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> str:
    """Curves by panel and name, each of shape (trainings,), as one SVG document."""
    width = len(panels) * _WIDTH + _LEGEND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" '
        f'width="{width}" height="{_HEIGHT}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{_HEIGHT}" fill="white"/>',
    ]
    for place, (title, curves) in enumerate(panels.items()):
        parts += _panel(title, curves, place * _WIDTH)
    names = next(iter(panels.values()))
    for place, name in enumerate(names):
        y, x = _TOP + 16 * place, len(panels) * _WIDTH + 12
        parts.append(f'<path d="M{x} {y}h18" stroke="{_colour(place)}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 24}" y="{y + 4}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _colour(place: int) -> str:
    return _COLOURS[place % len(_COLOURS)]


def _panel(title: str, curves: Mapping[str, NDArray[np.float64]], left: int) -> list[str]:
    count = max(len(curve) for curve in curves.values())
    x = Axis(1.0, float(count), left + _LEFT, left + _WIDTH - 12)
    shown = [float(value) for curve in curves.values() for value in curve[2:]]
    y = axis_over(shown, _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<text x="{left + _LEFT}" y="16" font-weight="bold">{escape(title)}: best so far</text>'
    ]
    for at, text in y.ticks(6):
        parts.append(f'<path d="M{x.start} {at}H{x.end}" stroke="#ddd"/>')
        parts.append(f'<text x="{x.start - 6}" y="{at + 4}" text-anchor="end">{text}</text>')
    for at, text in x.ticks(7, least=1.0):
        parts.append(f'<text x="{at}" y="{_HEIGHT - 20}" text-anchor="middle">{text}</text>')
    parts.append(
        f'<text x="{(x.start + x.end) / 2}" y="{_HEIGHT - 5}" text-anchor="middle">trainings</text>'
    )
    for place, curve in reversed(list(enumerate(curves.values()))):  # the first lies on top
        path = "L".join(f"{x.at(n + 1.0)} {y.at(float(value))}" for n, value in enumerate(curve))
        parts.append(
            f'<path d="M{path}" fill="none" stroke="{_colour(place)}" '
            f'stroke-width="{1.4 if place else 2.6}"/>'
        )
    return parts
