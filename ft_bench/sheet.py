"""Sheet: what a run's entry and its base earned on each test item, as additive statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ft_bench.record import Card
from ft_bench.stats import Values

__all__ = ["ReferenceRun", "Sheet"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Statistics of the two models of a card, each of shape (items, k), items in the same order.

    `values` is the metric of summed statistics, `span` its floor and ceiling.
    """

    tuned: Floats
    base: Floats
    values: Values
    span: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ReferenceRun:
    """A run of the reference model itself, and its sheet where its predictions are at hand.

    Its entry stands in place of the published score: gains are measured against it.
    """

    card: Card
    sheet: Sheet | None = None

    def judges(self, card: Card) -> bool:
        """Whether the card was scored as this run was: task, scorer and parser in one version."""
        mine = self.card
        return (mine.task, mine.task_version, mine.scorer_version, mine.parser, mine.metric) == (
            card.task,
            card.task_version,
            card.scorer_version,
            card.parser,
            card.metric,
        )
