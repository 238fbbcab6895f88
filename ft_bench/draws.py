"""Draws: bootstrap values that models share, over the seeds of one and between competitors."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ft_bench.record import Interval
from ft_bench.stats import RESAMPLES, Values, bootstrap, bounded

__all__ = ["item_draws", "over_seeds", "superiority", "two_level"]

Floats = NDArray[np.float64]


def item_draws(
    statistics: Sequence[Floats], values: Values, seed: int, n_resamples: int = RESAMPLES
) -> Floats:
    """The metric of several models under the same draws of items.

    Which items are drawn depends on their number and the seed alone: what a model gets is the same
    whoever stands beside it.

    Args:
        statistics: of each model, all of shape (items, k) and in the same order of items.
        values: the metric of summed statistics.
        seed: of the generator.
        n_resamples: how many draws, B.

    Returns:
        Shape (models, B).
    """
    n = len(statistics[0])
    rng = np.random.default_rng(seed)
    drawn = np.empty((len(statistics), n_resamples))
    block = max(1, 4_000_000 // max(1, n))
    for start in range(0, n_resamples, block):
        stop = min(start + block, n_resamples)
        counts = rng.multinomial(n, np.full(n, 1 / n), size=stop - start)
        for place, each in enumerate(statistics):
            drawn[place, start:stop] = values(counts @ each)
    return drawn


def over_seeds(draws: Floats, seed: int, level: float = 0.95) -> Floats:
    """Draws of the mean over seeds, shape (B,), from those of each seed, shape (seeds, B).

    Seeds are resampled with replacement. A few of them, resampled, vary less than their kind does,
    so how far a draw lies from the mean of all is stretched to what Student's t would give; the
    figures are in `docs/design/board.md`.
    """
    count, middle = len(draws), draws.mean(axis=0)
    if count == 1:
        return cast(Floats, middle)
    picked = np.random.default_rng([seed, 1]).integers(count, size=draws.shape)
    chosen = np.take_along_axis(draws, picked, axis=0).mean(axis=0)
    return cast(Floats, middle + _stretch(count, level) * (chosen - middle))


def _stretch(count: int, level: float) -> float:
    from scipy.special import stdtrit

    z = NormalDist().inv_cdf(0.5 + level / 2)
    return sqrt(count / (count - 1)) * float(stdtrit(count - 1, 0.5 + level / 2)) / z


def two_level(
    by_seed: Sequence[Floats],
    values: Values,
    *,
    seed: int,
    span: tuple[float, float] = (0.0, 1.0),
) -> Interval:
    """The interval of the mean over seeds: seeds are resampled, and items within them.

    All seeds were scored on the same items, so one draw of items serves all of them.

    Args:
        by_seed: statistics of each seed's model, all of shape (items, k).
        values: the metric of summed statistics.
        seed: of the generator.
        span: floor and ceiling of the metric.
    """
    draws = over_seeds(item_draws(by_seed, values, seed), seed)
    found = bootstrap(np.clip(draws, *span), method="two-level bootstrap")
    if found.high > found.low:
        return found
    mean = float(np.mean([values(item.sum(axis=0)) for item in by_seed]))
    return bounded(mean, len(by_seed[0]), span)


def superiority(draws: Sequence[Floats], level: float = 0.95) -> list[tuple[int, int]]:
    """Best and worst rank that each competitor may hold, by probability of superiority.

    A competitor stands above another where more than `level` of its draws, a tie counting one
    half, are greater. Those that nothing tells apart share their ranks: they are tied.

    Args:
        draws: bootstrap values of each, all of shape (B,); greater is better.
        level: how sure it must be.
    """
    above = [[float((a > b).mean() + (a == b).mean() / 2) > level for b in draws] for a in draws]
    count = range(len(draws))
    return [
        (1 + sum(above[j][i] for j in count), len(draws) - sum(above[i][j] for j in count))
        for i in count
    ]
