"""Process: what is expected of configurations that were not trained, as a Gaussian process.

y = prior + linear part + smooth part + noise. The linear part is that of the surrogate; the smooth
part lets a number have its optimum in the middle and lets features depend on each other. How much
there is of each, over what distance the smooth part varies, and how much larger the noise is than
the validation items explain, is what makes the scores so far most likely (Rasmussen and Williams
2006, sections 2.2 and 5.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import log, pi, sqrt

import numpy as np
from numpy.typing import NDArray

__all__ = ["Process", "expected_improvement"]

Floats = NDArray[np.float64]
_KERNELS = ((0.0, 1.0), (0.5, 0.7), (0.5, 1.4), (1.0, 0.7), (1.0, 1.4))
"""Share of the smooth part, and the distance over which it varies, in root mean squares."""
_AMPLITUDES = (0.5, 1.0, 2.0)
_NOISES = (1.0, 2.0, 4.0)
_INTERCEPT = 100.0
"""Variance of the intercept in units of the signal's: as good as flat."""


@dataclass(frozen=True, slots=True)
class _Fit:
    """Hyperparameters, with the eigenvalues and vectors of the covariance at unit signal.

    `signal` and `noise` are variances.
    """

    evidence: float
    kernel: tuple[float, float]
    signal: float
    noise: float
    values: Floats
    vectors: Floats


class Process:
    """Joint posterior of the metric over candidates.

    Args:
        observed: features and metric of each trained configuration, at least one; more is better.
        candidates: features of what may be trained next, at least one.
        prior: expected effect of one unit of a feature, by name; 0 where absent.
        sigma: standard deviation of one score, as far as the validation items explain it.

    Attributes:
        mean: expected metric of each candidate, shape (candidates,).
        covariance: of those expectations, shape (candidates, candidates).
        noise: standard deviation of one score, estimated.
        best: the highest expected metric among the trained configurations.
    """

    def __init__(
        self,
        observed: Sequence[tuple[Mapping[str, float], float]],
        candidates: Sequence[Mapping[str, float]],
        prior: Mapping[str, float],
        sigma: float,
    ) -> None:
        rows, n = [*(features for features, _ in observed), *candidates], len(observed)
        names = sorted({name for row in rows for name in row})
        raw = np.array([[row.get(name, 0.0) for name in names] for row in rows])
        hint = raw @ np.array([prior.get(name, 0.0) for name in names])
        rest = np.array([value for _, value in observed]) - hint[:n]
        x, hint = _standard(raw, n), hint + rest.mean()
        rest = rest - rest.mean()
        fit = _fitted(x[:n], rest, max(float(rest.std()), sigma), sigma)
        covariance = fit.signal * _covariance(x, fit.kernel)
        across = covariance[:, :n] @ fit.vectors
        weight = 1.0 / (fit.signal * fit.values + fit.noise)
        mean = hint + across @ (weight * (fit.vectors.T @ rest))
        self.mean: Floats = mean[n:]
        self.covariance: Floats = covariance[n:, n:] - (across[n:] * weight) @ across[n:].T
        self.noise = sqrt(fit.noise)
        self.best = float(mean[:n].max())

    def deviation(self) -> Floats:
        """Standard deviation of each candidate's expectation, shape (candidates,)."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0.0))

    def pick(
        self, among: Sequence[int], count: int, first: Sequence[int] = ()
    ) -> tuple[list[int], float]:
        """Candidates to train side by side, and what each improves on the best on average.

        One after the other the highest expected improvement, as if the scores of those before were
        known: what is like them then promises less (Desautels et al. 2014).

        Args:
            among: the places of the candidates that may be picked.
            count: how many are wanted.
            first: the places that the first is picked from, where there are any.
        """
        places = np.array(among)
        mean = self.mean[places]
        covariance = self.covariance[np.ix_(places, places)].copy()
        picked: list[int] = []
        total = 0.0
        for number in range(min(count, len(places))):
            deviation = np.sqrt(np.maximum(np.diag(covariance), 0.0))
            worth = expected_improvement(mean, deviation, self.best)
            worth[picked] = -np.inf
            if number == 0 and len(first):
                worth[~np.isin(places, first)] = -np.inf
            at = int(worth.argmax())
            total += float(worth[at])
            picked.append(at)
            known = covariance[:, at] / (covariance[at, at] + self.noise**2)
            covariance -= np.outer(known, covariance[at])
        return [int(places[at]) for at in picked], total / max(1, len(picked))


def expected_improvement(mean: Floats, deviation: Floats, best: float) -> Floats:
    """E max(0, y - best) of y ~ N(mean, deviation^2), elementwise (Jones et al. 1998)."""
    from scipy.special import ndtr

    spread = np.maximum(deviation, 1e-12)
    z = (mean - best) / spread
    density = np.exp(-z * z / 2) / sqrt(2 * pi)
    worth: Floats = (mean - best) * ndtr(z) + spread * density
    return worth


def _standard(raw: Floats, observed: int) -> Floats:
    """Features that vary, centred on what was observed, in units of their deviation over all."""
    x = raw[:, raw.max(axis=0) > raw.min(axis=0)]
    centred: Floats = (x - x[:observed].mean(axis=0)) / x.std(axis=0)
    return centred


def _covariance(x: Floats, kernel: tuple[float, float]) -> Floats:
    """At unit signal: a flat intercept, a linear and a smooth part."""
    share, length = kernel
    gram = x @ x.T / max(1, x.shape[1])
    size = np.diag(gram)
    apart = np.maximum(0.0, size[:, None] + size[None] - 2 * gram)
    smooth = np.exp(-apart / (2 * length**2))
    found: Floats = _INTERCEPT + (1 - share) * gram + share * smooth
    return found


def _fitted(x: Floats, y: Floats, spread: float, sigma: float) -> _Fit:
    """The most likely of a small grid of hyperparameters, with a mild preference for 1."""
    fits = []
    for kernel in _KERNELS:
        values, vectors = np.linalg.eigh(_covariance(x, kernel))
        values = np.maximum(values, 0.0)
        squares = (vectors.T @ y) ** 2
        for amplitude, louder in product(_AMPLITUDES, _NOISES):
            signal, noise = (amplitude * spread) ** 2, (louder * sigma) ** 2
            variance = signal * values + noise
            evidence = -0.5 * float((squares / variance + np.log(variance)).sum())
            evidence -= 0.5 * (log(amplitude) ** 2 + log(louder) ** 2)
            fits.append(_Fit(evidence, kernel, signal, noise, values, vectors))
    return max(fits, key=lambda fit: fit.evidence)
