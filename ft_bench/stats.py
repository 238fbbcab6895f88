"""Statistics: gain, intervals, bootstraps and ranks, as pure functions over arrays.

A metric is a function of sums of per-item statistics (see `protocols.Scorer`), so resampling items
is one matrix product: items with equal statistics are counted once, and a bootstrap draws how
often each distinct row occurs from a multinomial. That is the item bootstrap exactly, not an
approximation of it, and it does not grow with the number of items.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from statistics import NormalDist
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ft_bench.record import Gain, Interval

__all__ = [
    "RESAMPLES",
    "Values",
    "bootstrap",
    "bounded",
    "gain",
    "gain_draws",
    "gain_interval",
    "interval_of",
    "mean_interval",
    "probability_better",
    "ranks",
    "resample",
    "wilson",
]

RESAMPLES = 10_000
Floats = NDArray[np.float64]
Values = Callable[[Floats], Floats]
"""From summed statistics, shape (..., k), to metric values, shape (...)."""


def wilson(successes: float, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval for a proportion (Wilson 1927, equation for p given n and z).

    Args:
        successes: how many of `n` succeeded; may be fractional for a mean of values in [0, 1].
        n: number of items, at least 1.
    """
    if n < 1:
        return Interval(low=0.0, high=1.0, level=level, method="wilson")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    p, z2 = successes / n, z * z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Interval(low=min(low, p), high=max(high, p), level=level, method="wilson")


def resample(statistics: Floats, seed: int, n_resamples: int = RESAMPLES) -> Floats:
    """Bootstrap sums of per-item statistics.

    Args:
        statistics: shape (items, k).
        seed: of the generator; the same seed gives the same draws.
        n_resamples: how many resamples, B.

    Returns:
        The sums of each resample, shape (B, k).
    """
    rows, counts = np.unique(statistics, axis=0, return_counts=True)
    rng = np.random.default_rng(seed)
    n = int(counts.sum())
    sums = np.empty((n_resamples, rows.shape[1]))
    block = max(1, 4_000_000 // max(1, len(rows)))
    for start in range(0, n_resamples, block):
        size = min(block, n_resamples - start)
        sums[start : start + size] = rng.multinomial(n, counts / n, size=size) @ rows
    return sums


def bootstrap(values: Floats, level: float = 0.95, method: str = "bootstrap") -> Interval:
    """The percentile interval of bootstrap values, shape (B,)."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high), level=level, method=method)


def interval_of(
    statistics: Floats, values: Values, *, kind: str, span: tuple[float, float], seed: int
) -> Interval:
    """The interval of a metric over items, never of zero width.

    Args:
        statistics: shape (items, k).
        values: the metric of summed statistics.
        kind: "proportion" (Wilson; columns are (value, 1)), else a bootstrap.
        span: floor and ceiling of the metric.
        seed: for the bootstrap.
    """
    n = len(statistics)
    if n == 0:
        return Interval(low=span[0], high=span[1], method="no items")
    if kind == "proportion":
        return wilson(float(statistics[:, 0].sum()), n)
    found = bootstrap(values(resample(statistics, seed)))
    if found.high > found.low:
        return found
    return bounded(float(values(statistics.sum(axis=0))), n, span)


def bounded(value: float, n: int, span: tuple[float, float]) -> Interval:
    """Where every resample agrees the bootstrap is silent: Wilson on the metric's own scale."""
    width = span[1] - span[0]
    inner = wilson(min(1.0, max(0.0, (value - span[0]) / width)) * n, n)
    return Interval(
        low=span[0] + width * inner.low,
        high=span[0] + width * inner.high,
        level=inner.level,
        method="wilson, bootstrap degenerate",
    )


def probability_better(
    statistics: Floats, other: Floats, values: Values, *, seed: int, direction: str = "max"
) -> float:
    """P(metric > other's metric) under the paired item bootstrap; a tie counts one half.

    Args:
        statistics: shape (items, k), items in the same order as in `other`.
        other: shape (items, k).
    """
    mine, theirs = _paired(statistics, other, values, seed)
    delta = mine - theirs if direction == "max" else theirs - mine
    return float(np.mean(delta > 0) + 0.5 * np.mean(delta == 0))


def _paired(a: Floats, b: Floats, values: Values, seed: int) -> tuple[Floats, Floats]:
    first, second = _joint([a, b], values, seed)
    return first, second


def _joint(models: Sequence[Floats], values: Values, seed: int) -> list[Floats]:
    """Values of each model, shape (B,), under the same draws of items."""
    shapes = [model.shape for model in models]
    if len(set(shapes)) > 1:
        raise ValueError(
            f"paired statistics have shapes {' and '.join(map(str, shapes))}; expected equal"
        )
    sums, width = resample(np.hstack(models), seed), shapes[0][1]
    return [values(sums[:, i * width : (i + 1) * width]) for i in range(len(models))]


def gain(score: float, base: float, reference: float) -> float:
    """Normalised gain (score - base) / (reference - base), TREX section 4.

    Raises:
        ZeroDivisionError: where the reference equals the base.
    """
    return (score - base) / (reference - base)


def gain_draws(after: Floats, before: Floats, reference: Floats | float) -> Floats:
    """Gains of paired draws, element by element; not finite where reference and base are equal."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return (after - before) / (reference - before)


def gain_interval(
    tuned: Floats,
    base: Floats,
    values: Values,
    *,
    reference: float | None,
    half_width: float,
    seed: int,
    direction: str = "max",
    span: tuple[float, float] = (0.0, 1.0),
    measured: Floats | None = None,
) -> Gain:
    """Gain of a tuned model over its measured base, with paired item bootstrap intervals.

    A reference without predictions is fixed; one with is drawn with the others. Where every
    resample gives the same difference, the interval is widened by what `n` items can show at all.

    Args:
        tuned: statistics of the tuned model, shape (items, k).
        base: statistics of the base on the same items, shape (items, k).
        values: the metric of summed statistics.
        reference: score of the reference model, None where the task has none.
        half_width: half the width of the tuned score's interval; decides `weak`.
        seed: for the bootstrap.
        direction: "min" turns differences round, so that a gain is always better.
        span: floor and ceiling of the metric.
        measured: statistics of the reference model on the same items, in place of `reference`.
    """
    sign = 1.0 if direction == "max" else -1.0
    after, before = (float(values(item.sum(axis=0))) for item in (tuned, base))
    models = [tuned, base] if measured is None else [tuned, base, measured]
    boot_after, boot_before, *boot_reference = _joint(models, values, seed)
    if measured is not None:
        reference = float(values(measured.sum(axis=0)))
    delta_ci = bootstrap(sign * (boot_after - boot_before), method="paired bootstrap")
    if delta_ci.high <= delta_ci.low:
        least = (span[1] - span[0]) * (wilson(0, len(tuned)).high)
        middle = sign * (after - before)
        delta_ci = Interval(low=middle - least, high=middle + least, method="paired, degenerate")
    value, ci, weak = None, None, False
    if reference is not None and reference != before:
        value = gain(after, before, reference)
        scale = sign * (reference - before)
        against = boot_reference[0] if boot_reference else reference
        ci = _gain_ci(boot_after, boot_before, against, delta_ci, scale)
        weak = abs(reference - before) < 2 * half_width
    return Gain(
        value=value,
        ci=ci,
        delta=sign * (after - before),
        delta_ci=delta_ci,
        reference=reference,
        base=before,
        weak=weak,
    )


def _gain_ci(
    after: Floats, before: Floats, reference: Floats | float, delta_ci: Interval, scale: float
) -> Interval:
    draws = gain_draws(after, before, reference)
    draws = draws[np.isfinite(draws)]
    how = "fixed" if isinstance(reference, float) else "measured"
    found = bootstrap(draws, method=f"paired bootstrap, reference {how}") if len(draws) else None
    if found is not None and found.high > found.low:
        return found
    low, high = sorted((delta_ci.low / scale, delta_ci.high / scale))
    return Interval(low=low, high=high, method=delta_ci.method)


def mean_interval(
    values_by_seed: Sequence[float], sampling_variance: float = 0.0, level: float = 0.95
) -> tuple[float, Interval]:
    """Mean over seeds with its interval: Student's t on the seeds plus the items' own variance.

    Args:
        values_by_seed: the metric under each seed, at least one.
        sampling_variance: variance of one seed's value that comes from the items.
    """
    from scipy.special import stdtrit

    array = np.asarray(values_by_seed, dtype=float)
    mean, n = float(array.mean()), len(array)
    between = float(array.var(ddof=1)) / n if n > 1 else 0.0
    z = NormalDist().inv_cdf(0.5 + level / 2)
    t = float(stdtrit(n - 1, 0.5 + level / 2)) if n > 1 else z
    half = sqrt(t * t * between + z * z * sampling_variance)
    return mean, Interval(low=mean - half, high=mean + half, level=level, method="seeds and items")


def ranks(scores: Sequence[float], *, direction: str = "max") -> list[float]:
    """Ranks from 1 (best); equal scores share the mean of their places."""
    array = np.asarray(scores, dtype=float) * (-1 if direction == "max" else 1)
    below = (array[:, None] > array[None, :]).sum(axis=1)
    equal = (array[:, None] == array[None, :]).sum(axis=1)
    return cast(list[float], (below + (equal + 1) / 2).tolist())
