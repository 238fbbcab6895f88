"""Contest: the cards of one table under shared draws, and the rows and ranks that follow.

Where the predictions of a card are at hand, its draws are of the test's items, the same for every
card, so that rows are compared item by item. Where they are not, draws are made from the intervals
that stand on the card, as if the items had been others: rows are told apart less easily, and the
row says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ft_bench.digest import derive_seed
from ft_bench.draws import item_draws, over_seeds, superiority
from ft_bench.record import Card, Interval
from ft_bench.report.standing import UNSCORED, Standing, worst_status
from ft_bench.sheet import ReferenceRun, Sheet
from ft_bench.stats import RESAMPLES, bootstrap, gain, gain_draws

__all__ = ["Contest", "Row", "ranked"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """A standing with the draws behind it, each of shape (B,)."""

    standing: Standing
    score: Floats
    gain: Floats | None = None


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Draws of one card, each of shape (B,), and its gain against the table's reference."""

    score: Floats
    delta: Floats
    gain: Floats | None
    gain_value: float | None
    span: tuple[float, float] | None = None


class Contest:
    """The cards of one table.

    Args:
        cards: of one task under one set of conditions.
        sheets: by run id, of those whose predictions are at hand.
        reference: a run of the reference model, None where the published score serves.
    """

    def __init__(
        self, cards: Sequence[Card], sheets: Mapping[str, Sheet], reference: ReferenceRun | None
    ) -> None:
        self.reference = reference
        self.sign = 1.0 if cards[0].direction == "max" else -1.0
        scored = {c.run_id: sheets[c.run_id] for c in cards if _has_sheet(c, sheets)}
        values = self._item_draws(scored, f"{cards[0].task} {cards[0].task_version}")
        self._drawn = {
            card.run_id: self._of_items(card, scored[card.run_id], values)
            if card.run_id in scored
            else self._of_card(card)
            for card in cards
        }

    def _item_draws(self, sheets: Mapping[str, Sheet], table: str) -> dict[int, Floats]:
        """Draws by the identity of the statistics that they are of."""
        models = [model for sheet in sheets.values() for model in (sheet.tuned, sheet.base)]
        if self.reference is not None and self.reference.sheet is not None:
            models.append(self.reference.sheet.tuned)
        distinct = {id(model): model for model in models}
        if not sheets:
            return {}
        metric = next(iter(sheets.values())).values
        drawn = item_draws(list(distinct.values()), metric, derive_seed("board", table))
        return dict(zip(distinct, drawn, strict=True))

    def _of_items(self, card: Card, sheet: Sheet, values: Mapping[int, Floats]) -> _Drawn:
        after, before = values[id(sheet.tuned)], values[id(sheet.base)]
        against: Floats | float | None = self._reference_of(card)
        if self.reference is not None and self.reference.sheet is not None:
            against = values[id(self.reference.sheet.tuned)]
        return _Drawn(
            score=after,
            delta=self.sign * (after - before),
            gain=None if against is None else gain_draws(after, before, against),
            gain_value=self._gain_value(card),
            span=sheet.span,
        )

    def _of_card(self, card: Card) -> _Drawn:
        noise = np.random.default_rng(derive_seed("card", card.run_id)).normal(size=RESAMPLES)
        delta = card.gain.delta + _sd(card.gain.delta_ci) * noise
        gains, value = None, self._gain_value(card)
        if value is not None and self.reference is not None and card.status not in UNSCORED:
            gains = self.sign * delta / (self.reference.card.test.value - card.gain.base)
        elif value is not None:
            gains = value + (_sd(card.gain.ci) if card.gain.ci else 0.0) * noise
        return _Drawn(card.test.value + self.sign * _sd(card.test.ci) * noise, delta, gains, value)

    def _reference_of(self, card: Card) -> float | None:
        if self.reference is not None:
            return self.reference.card.test.value
        return card.gain.reference

    def _gain_value(self, card: Card) -> float | None:
        """The card's own gain, or the one against the reference's run; a void gain stays void."""
        if self.reference is None or card.status in UNSCORED:
            return card.gain.value
        score = self.reference.card.test.value
        if score == card.gain.base:
            return None
        return gain(card.test.value, card.gain.base, score)

    def row(self, name: str, cards: Sequence[Card]) -> Row:
        """The row of one agent under one setting: its seeds averaged, each once.

        Args:
            name: what the row is called.
            cards: of one agent and setting; at least one. Seeds that were not scored count only
                where there is no other.
        """
        counted = [card for card in cards if card.status not in UNSCORED] or list(cards)
        drawn = [self._drawn[card.run_id] for card in counted]
        seed = derive_seed("seeds", *sorted(card.run_id for card in counted))
        score = over_seeds(np.stack([one.score for one in drawn]), seed)
        delta = over_seeds(np.stack([one.delta for one in drawn]), seed)
        gained = [one.gain for one in drawn if one.gain is not None]
        gains = over_seeds(np.stack(gained), seed) if gained else None
        first, alone = counted[0], len(counted) == 1
        standing = Standing(
            kind="agent",
            name=name,
            score=fmean(card.test.value for card in counted),
            score_ci=_interval(score, first.test.ci, alone, drawn[0].span),
            delta=fmean(card.gain.delta for card in counted),
            delta_ci=_interval(delta, first.gain.delta_ci, alone),
            gain=_mean([one.gain_value for one in drawn]),
            gain_ci=_interval(gains, first.gain.ci, alone and self.reference is None),
            weak=any(self._weak(card) for card in counted),
            basis="predictions" if all(one.span for one in drawn) else "card",
            **_shown(cards, counted),
        )
        return Row(standing, self.sign * score, gains)

    def _weak(self, card: Card) -> bool:
        if self.reference is None:
            return card.gain.weak
        distance = abs(self.reference.card.test.value - card.gain.base)
        return distance < card.test.ci.high - card.test.ci.low


def _has_sheet(card: Card, sheets: Mapping[str, Sheet]) -> bool:
    return card.run_id in sheets and card.status not in UNSCORED


def _sd(ci: Interval) -> float:
    """The standard deviation of a normal estimate whose interval has this width."""
    return (ci.high - ci.low) / 2 / NormalDist().inv_cdf(0.5 + ci.level / 2)


def _shown(cards: Sequence[Card], counted: Sequence[Card]) -> dict[str, Any]:
    """What a row shows besides numbers on the test."""
    return {
        "seeds": tuple(sorted(card.seed for card in counted)),
        "status": worst_status([card.status for card in cards]),
        "flags": tuple(sorted({flag for card in cards for flag in card.flags})),
        "device_seconds": fmean(card.usage.device_seconds for card in counted),
        "usd": fmean(card.usage.usd for card in counted),
        "runs": tuple(card.run_id for card in cards),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _interval(
    draws: Floats | None,
    own: Interval | None,
    alone: bool,
    span: tuple[float, float] | None = None,
) -> Interval | None:
    """The interval of draws; that of the first card for one seed, or where all draws are equal."""
    if draws is None or (alone and own is not None):
        return own
    finite = draws[np.isfinite(draws)]
    if span is not None:
        finite = np.clip(finite, *span)
    found = bootstrap(finite, method="two-level bootstrap") if len(finite) else None
    return found if found is not None and found.high > found.low else own


def ranked(
    rows: Sequence[Row], others: Sequence[Standing], direction: Literal["max", "min"]
) -> tuple[list[Row], tuple[Standing, ...]]:
    """Places by probability of superiority.

    A row broken by an integrity rule, or never scored, stands among the rest without a rank.

    Returns:
        The rows that may be ranked, with their ranks; and all standings, best first.
    """
    able = [row for row in rows if row.standing.status not in UNSCORED]
    placed = [
        Row(_placed(row.standing, low, high), row.score, row.gain)
        for row, (low, high) in zip(able, superiority([row.score for row in able]), strict=True)
    ]
    broken = [row.standing for row in rows if row.standing.status in UNSCORED]
    standings = [*(row.standing for row in placed), *broken, *others]
    sign = -1.0 if direction == "max" else 1.0
    return placed, tuple(sorted(standings, key=lambda row: (sign * row.score, row.name)))


def _placed(standing: Standing, low: int, high: int) -> Standing:
    return standing.model_copy(
        update={"rank": (low + high) / 2, "rank_low": low, "rank_high": high}
    )
