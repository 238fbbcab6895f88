"""Axis: where a value lies on a drawing, and the round values that are written beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

__all__ = ["Axis", "axis_over"]


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from `low` to `high` (low < high) on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value, kept inside the axis, to a tenth."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + min(1.0, max(0.0, share)) * (self.end - self.start), 1)

    def ticks(self, about: int = 5, *, least: float = 0.0) -> list[tuple[float, str]]:
        """Pixel and text of about so many round values, which are `least` apart or more."""
        size = _round_size(max(least, (self.high - self.low) / about))
        first, last = ceil(self.low / size - 1e-9), floor(self.high / size + 1e-9)
        digits = max(0, -floor(log10(size) + 1e-9))
        return [
            (self.at(size * place), f"{size * place:,.{digits}f}".replace("-", "−"))
            for place in range(first, last + 1)
        ]


def _round_size(raw: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not under `raw`."""
    power = 10.0 ** floor(log10(raw))
    return float(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999))


def axis_over(values: Iterable[float], start: float, end: float, *, margin: float = 0.06) -> Axis:
    """An axis that holds all finite values, with a margin; (0, 1) where there is none."""
    known = [value for value in values if isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = low - 0.5 * abs(low or 1.0), high + 0.5 * abs(high or 1.0)
    space = margin * (high - low)
    return Axis(low - space, high + space, start, end)
