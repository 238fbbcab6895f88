"""Standing: one row of a leaderboard: what an agent reached on a task, over its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist, fmean
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ft_bench.record import Card, Interval
from ft_bench.stats import mean_interval, ranks

__all__ = ["Standing", "base_standing", "ranked", "reference_standing", "standing"]

_UNSCORED = ("cancelled", "infrastructure", "rejected", "integrity")


class Standing(BaseModel):
    """A row. `rank` is None for base, reference, published rows and what must not be ranked.

    `rank_low` and `rank_high` are the best and worst place that the intervals leave open: rows
    whose intervals overlap are not told apart. `status` is that of the worst seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["agent", "base", "reference", "published"]
    name: str
    score: float
    score_ci: Interval | None
    delta: float | None = None
    delta_ci: Interval | None = None
    gain: float | None = None
    gain_ci: Interval | None = None
    weak: bool = False
    rank: float | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    seeds: tuple[int, ...] = ()
    status: str = "complete"
    flags: tuple[str, ...] = ()
    device_seconds: float | None = None
    usd: float | None = None
    runs: tuple[str, ...] = ()

    @property
    def tied(self) -> bool:
        """Whether the interval overlaps with another ranked row's."""
        return self.rank is not None and self.rank_low != self.rank_high


def standing(name: str, cards: Sequence[Card]) -> Standing:
    """The row of one agent under one setting: its seeds averaged, each once.

    Args:
        name: what the row is called.
        cards: of one agent, task and setting; at least one. Seeds that were not scored count only
            where there is no other.
    """
    counted = [card for card in cards if card.status not in _UNSCORED] or list(cards)
    score, score_ci = _over_seeds(
        [card.test.value for card in counted], [card.test.ci for card in counted]
    )
    delta, delta_ci = _over_seeds(
        [card.gain.delta for card in counted], [card.gain.delta_ci for card in counted]
    )
    gains = [(c.gain.value, c.gain.ci) for c in counted if c.gain.value is not None and c.gain.ci]
    gain, gain_ci = _over_seeds([g for g, _ in gains], [ci for _, ci in gains])
    assert score is not None
    return Standing(
        kind="agent",
        name=name,
        score=score,
        score_ci=score_ci,
        delta=delta,
        delta_ci=delta_ci,
        gain=gain,
        gain_ci=gain_ci,
        weak=any(card.gain.weak for card in counted),
        seeds=tuple(sorted(card.seed for card in counted)),
        status=_worst([card.status for card in cards]),
        flags=tuple(sorted({flag for card in cards for flag in card.flags})),
        device_seconds=fmean(card.usage.device_seconds for card in counted),
        usd=fmean(card.usage.usd for card in counted),
        runs=tuple(card.run_id for card in cards),
    )


def _over_seeds(
    values: Sequence[float], intervals: Sequence[Interval]
) -> tuple[float | None, Interval | None]:
    """The mean over seeds; its interval has the spread of the seeds and that of the items."""
    if len(values) < 2:
        return (values[0], intervals[0]) if values else (None, None)
    items = fmean(_variance(ci) for ci in intervals)
    return mean_interval(values, items, intervals[0].level)


def _variance(ci: Interval) -> float:
    """The variance of a normal estimate whose interval has this width."""
    z = NormalDist().inv_cdf(0.5 + ci.level / 2)
    return float(((ci.high - ci.low) / 2 / z) ** 2)


def _worst(statuses: Sequence[str]) -> str:
    order = (*_UNSCORED[::-1], "agent_failed", "no_valid_model")
    return next((status for status in order if status in statuses), "complete")


def base_standing(cards: Sequence[Card]) -> Standing:
    """The row of the untrained base: the mean of what the runs of a table measured."""
    name = cards[0].base_model.rstrip("/").rpartition("/")[2] or "base"
    return Standing(
        kind="base",
        name=f"base: {name}",
        score=fmean(card.base_test.value for card in cards),
        score_ci=cards[0].base_test.ci,
    )


def reference_standing(cards: Sequence[Card]) -> Standing | None:
    """The row of the published reference, which has no predictions and hence no interval."""
    found = [card.gain.reference for card in cards if card.gain.reference is not None]
    if not found:
        return None
    return Standing(kind="reference", name="reference", score=found[0], score_ci=None, gain=1.0)


def ranked(rows: Sequence[Standing], direction: Literal["max", "min"]) -> tuple[Standing, ...]:
    """All rows, best first; agents that may be ranked have their rank and its range.

    A row broken by an integrity rule, or never scored, stands among them without a rank.
    """
    able = [row for row in rows if row.kind == "agent" and row.status not in _UNSCORED]
    places = ranks([row.score for row in able], direction=direction) if able else []
    sign = -1.0 if direction == "max" else 1.0
    placed = [
        row.model_copy(
            update={
                "rank": place,
                "rank_low": 1 + sum(_clear(other, row, sign) for other in able),
                "rank_high": len(able) - sum(_clear(row, other, sign) for other in able),
            }
        )
        for row, place in zip(able, places, strict=True)
    ]
    others = [row for row in rows if row not in able]
    return tuple(sorted([*placed, *others], key=lambda row: (sign * row.score, row.name)))


def _clear(one: Standing, other: Standing, sign: float) -> bool:
    """Whether one row's interval lies wholly on the better side of the other's."""
    if one.score_ci is None or other.score_ci is None:
        return False
    if sign < 0:
        return one.score_ci.low > other.score_ci.high
    return one.score_ci.high < other.score_ci.low
