from __future__ import annotations

import numpy as np
import pytest

from trex_agent.surrogate import Surrogate


def _planted(
    effects: dict[str, float], n: int, sigma: float, share: float = 0.3, seed: int = 0
) -> list[tuple[dict[str, float], float]]:
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        features = {name: float(rng.random() < share) for name in effects}
        value = 0.5 + sum(effects[name] * x for name, x in features.items())
        rows.append((features, value + rng.normal(0, sigma)))
    return rows


def test_planted_effects_are_recovered_within_their_intervals() -> None:
    effects = {"dedup": 0.2, "filter": -0.1, "nothing": 0.0}
    found = {
        item.feature: item
        for item in Surrogate(_planted(effects, 80, 0.02), [], {}, 0.02).effects()
    }
    for name, effect in effects.items():
        assert found[name].low <= effect <= found[name].high
        assert found[name].effect == pytest.approx(effect, abs=0.02)
    assert found["nothing"].low < 0 < found["nothing"].high
    assert found["dedup"].low > 0 > found["filter"].high


def test_candidates_do_not_bend_what_was_observed() -> None:
    """Candidates far from the observations set the units of the features, not their effects."""
    effects = {"dedup": 0.2, "filter": -0.1}
    observed = _planted(effects, 80, 0.01)
    model = Surrogate(observed, [{"dedup": 1.0, "filter": 1.0}] * 80, {}, 0.01)
    found = {item.feature: item.effect for item in model.effects()}
    assert found == pytest.approx(effects, abs=0.01)
    scored = [model.predict(row)[0] for row in ({}, {"dedup": 1.0})]
    assert scored == pytest.approx([0.5, 0.7], abs=0.02)


def test_the_posterior_is_the_ridge_solution() -> None:
    """Solved as a stacked least-squares problem with a free intercept."""
    observed = _planted({"a": 0.3, "b": -0.2, "c": 0.1}, 12, 0.05, seed=3)
    candidates = [{"a": 1.0, "d": 2.0}, {"c": 1.0}]
    prior, sigma = {"a": 0.05, "d": 0.02}, 0.07
    model = Surrogate(observed, candidates, prior, sigma)
    names = ["a", "b", "c", "d"]
    rows = [row for row, _ in observed]
    raw = np.array([[row.get(name, 0.0) for name in names] for row in [*rows, *candidates]])
    scale, x = raw.std(axis=0), raw[: len(rows)]
    scale[scale == 0] = 1.0
    y = np.array([value for _, value in observed])
    tau = max(y.std(), sigma) / np.sqrt(max(1, len(names)) / 4)
    mean = np.array([prior.get(name, 0.0) for name in names]) * scale
    z = x / scale
    left = np.vstack(
        [
            np.hstack([z, np.ones((len(y), 1))]) / sigma,
            np.hstack([np.eye(4), np.zeros((4, 1))]) / tau,
        ]
    )
    right = np.concatenate([y / sigma, mean / tau])
    solution = np.linalg.lstsq(left, right, rcond=None)[0]
    assert model._mean == pytest.approx(solution[:4], abs=1e-9)
    covariance = np.linalg.inv(left.T @ left)[:4, :4]
    assert model._covariance == pytest.approx(covariance, abs=1e-9)


def test_without_evidence_the_prior_stands() -> None:
    model = Surrogate([({"a": 0.0}, 0.5)], [{"a": 1.0}, {"b": 1.0}], {"a": 0.1}, 0.05)
    scored = [model.predict(row)[0] for row in ({"a": 1.0}, {"b": 1.0})]
    assert scored[0] - scored[1] == pytest.approx(0.1)


def test_only_what_varied_has_an_effect_and_the_surest_comes_first() -> None:
    rows = [
        ({"same": 1.0, "a": float(n % 2), "b": float(n % 3 == 0)}, n % 2 * 0.3) for n in range(12)
    ]
    found = Surrogate(rows, [{"new": 1.0}], {}, 0.01).effects()
    assert [item.feature for item in found] == ["a", "b"]
    assert [item.n for item in found] == [6, 4]


def test_equal_scores_are_no_evidence_and_no_error() -> None:
    model = Surrogate([({"a": 1.0}, 0.5), ({}, 0.5)], [], {}, 0.0)
    (effect,) = model.effects()
    assert effect.effect == pytest.approx(0.0, abs=1e-9)
    assert effect.low < 0 < effect.high
