"""Standing: one row of a leaderboard: what an agent reached on a task, over its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ft_bench.record import Card, Interval
from ft_bench.sheet import ReferenceRun

__all__ = ["UNSCORED", "Standing", "base_standing", "reference_standing", "worst_status"]

UNSCORED = ("cancelled", "infrastructure", "rejected", "integrity")
"""What is shown and never ranked."""


class Standing(BaseModel):
    """A row. `rank` is None for base, reference, published rows and what must not be ranked.

    `rank_low` and `rank_high` are the best and worst place that the draws leave open, `rank` lies
    half-way between them: rows that nothing tells apart are tied. `basis` says whether intervals
    and ranks come from stored predictions or from the intervals on the cards. `status` is that of
    the worst seed.
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
    basis: Literal["predictions", "card"] = "card"
    seeds: tuple[int, ...] = ()
    status: str = "complete"
    flags: tuple[str, ...] = ()
    device_seconds: float | None = None
    usd: float | None = None
    runs: tuple[str, ...] = ()

    @property
    def tied(self) -> bool:
        """Whether another ranked row may stand in its place."""
        return self.rank is not None and self.rank_low != self.rank_high


def worst_status(statuses: Sequence[str]) -> str:
    """The worst of some runs' statuses."""
    order = (*UNSCORED[::-1], "agent_failed", "no_valid_model")
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


def reference_standing(cards: Sequence[Card], run: ReferenceRun | None = None) -> Standing | None:
    """The row of the reference: its own run, else the published score, which has no interval."""
    if run is not None:
        model = run.card.base_model.rstrip("/").rpartition("/")[2]
        return Standing(
            kind="reference",
            name=f"reference: {model}",
            score=run.card.test.value,
            score_ci=run.card.test.ci,
            gain=1.0,
            basis="predictions" if run.sheet is not None else "card",
            runs=(run.card.run_id,),
        )
    found = [card.gain.reference for card in cards if card.gain.reference is not None]
    if not found:
        return None
    return Standing(kind="reference", name="reference", score=found[0], score_ci=None, gain=1.0)
