"""Surrogate: a Bayesian linear model from a configuration's features to its validation metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Effect", "Surrogate"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one feature is worth, in units of the metric, with a 95 % interval.

    `n` is how many of the trained configurations differ in it from the commonest value.
    """

    feature: str
    effect: float
    low: float
    high: float
    n: int


class Surrogate:
    """Posterior of w in y = x w + noise, w ~ N(prior, tau^2), noise ~ N(0, sigma^2).

    Bishop 2006, equations 3.50 and 3.51. The unit of a feature is its deviation over observations
    and candidates together; the intercept has a flat prior, by centring what was observed.

    Args:
        observed: features and metric of each trained configuration, at least one.
        candidates: features of what may be trained next; they take part in the scaling.
        prior: expected effect of a feature being there, by name; 0 where absent.
        sigma: standard deviation of one score.
    """

    def __init__(
        self,
        observed: Sequence[tuple[Mapping[str, float], float]],
        candidates: Sequence[Mapping[str, float]],
        prior: Mapping[str, float],
        sigma: float,
    ) -> None:
        rows = [features for features, _ in observed]
        self.names = sorted({name for row in [*rows, *candidates] for name in row})
        raw = _matrix([*rows, *candidates], self.names)
        self._raw = raw[: len(rows)]
        self._centre = self._raw.mean(axis=0)
        self._scale = np.where(raw.std(axis=0) > 0, raw.std(axis=0), 1.0)
        x = self._standard(self._raw)
        y = np.array([value for _, value in observed])
        self._offset = float(y.mean())
        spread = max(float(y.std()), sigma, 1e-3)
        tau = spread / np.sqrt(max(1, len(self.names)) / 4)
        mean = np.array([prior.get(name, 0.0) for name in self.names]) * self._scale
        precision = np.eye(len(self.names)) / tau**2 + x.T @ x / max(sigma, 1e-3) ** 2
        self._covariance = np.linalg.inv(precision)
        target = mean / tau**2 + x.T @ (y - self._offset) / max(sigma, 1e-3) ** 2
        self._mean = self._covariance @ target

    def _standard(self, raw: Floats) -> Floats:
        scaled: Floats = (raw - self._centre) / self._scale
        return scaled

    def predict(self, features: Mapping[str, float]) -> tuple[float, float]:
        """Expected metric of one configuration, and the standard deviation of that expectation."""
        x = self._standard(_matrix([features], self.names))[0]
        variance = float(x @ self._covariance @ x)
        return float(x @ self._mean) + self._offset, max(0.0, variance) ** 0.5

    def effects(self) -> list[Effect]:
        """Every feature that varied among the observations, strongest evidence first."""
        sd = np.sqrt(np.diag(self._covariance))
        found = []
        for index, name in enumerate(self.names):
            column = self._raw[:, index]
            if column.std() == 0:
                continue
            unit = self._scale[index]
            middle, half = self._mean[index] / unit, 1.96 * sd[index] / unit
            _, counts = np.unique(column, return_counts=True)
            n = int(len(column) - counts.max())
            found.append(Effect(name, float(middle), float(middle - half), float(middle + half), n))
        return sorted(found, key=lambda item: -abs(item.effect) / (item.high - item.low))


def _matrix(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> Floats:
    return np.array([[row.get(name, 0.0) for name in names] for row in rows], dtype=np.float64)
