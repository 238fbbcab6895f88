from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from trex_agent.process import Process, expected_improvement

Row = dict[str, float]


def _curved(rates: list[float], seed: int = 0) -> list[tuple[Row, float]]:
    """An optimum at rate -2, with a little noise."""
    rng = np.random.default_rng(seed)
    return [({"lr": rate}, 0.8 - 0.2 * (rate + 2) ** 2 + rng.normal(0, 0.005)) for rate in rates]


def test_an_optimum_in_the_middle_is_found() -> None:
    grid = [{"lr": rate} for rate in np.linspace(-3.5, -0.5, 31)]
    process = Process(_curved([-3.5, -3.0, -2.5, -1.5, -1.0, -0.5] * 2), grid, {}, 0.005)
    assert grid[int(process.mean.argmax())]["lr"] == pytest.approx(-2.0, abs=0.2)


def test_features_that_only_work_together_are_told_from_those_that_add_up() -> None:
    """Two operations that help together alone: the linear surrogate cannot say so."""
    rows = [{"a": float(n & 1), "b": float(n >> 1 & 1), "c": float(n >> 2 & 1)} for n in range(8)]
    observed = [(row, 0.5 + 0.3 * row["a"] * row["b"]) for row in rows] * 2
    mean = Process(observed, rows, {}, 0.01).mean
    assert mean == pytest.approx([value for _, value in observed[:8]], abs=0.02)


def test_noise_that_the_items_do_not_explain_is_noticed() -> None:
    rng = np.random.default_rng(1)
    rows = [{"a": float(rng.normal()), "b": float(rng.normal())} for _ in range(40)]
    loud = [(row, 0.5 + 0.05 * row["a"] + rng.normal(0, 0.04)) for row in rows]
    calm = [(row, 0.5 + 0.05 * row["a"] + rng.normal(0, 0.01)) for row in rows]
    assert Process(loud, rows, {}, 0.01).noise == pytest.approx(0.04)
    assert Process(calm, rows, {}, 0.01).noise == pytest.approx(0.01)


def test_the_posterior_is_that_of_the_joint_normal() -> None:
    """Conditioned by hand on the covariance that was chosen."""
    rng = np.random.default_rng(2)
    rows = [{"a": float(rng.normal()), "b": float(rng.normal())} for _ in range(9)]
    y = np.array([0.5 + 0.1 * row["a"] - 0.05 * row["b"] ** 2 for row in rows[:6]])
    process = Process(list(zip(rows[:6], map(float, y), strict=True)), rows[6:], {}, 0.02)
    from trex_agent.process import _covariance, _fitted, _standard

    x = _standard(np.array([[row["a"], row["b"]] for row in rows]), 6)
    centred = y - y.mean()
    fit = _fitted(x[:6], centred, float(centred.std()), 0.02)
    k = fit.signal * _covariance(x, fit.kernel)
    known = k[:6, :6] + fit.noise * np.eye(6)
    assert process.mean == pytest.approx(y.mean() + k[6:, :6] @ np.linalg.solve(known, centred))
    left = k[6:, 6:] - k[6:, :6] @ np.linalg.solve(known, k[:6, 6:])
    assert process.covariance == pytest.approx(left, abs=1e-6)


def test_without_evidence_the_prior_stands() -> None:
    process = Process([({"a": 0.0}, 0.5)], [{"a": 1.0}, {"b": 1.0}], {"a": 0.1}, 0.05)
    assert process.mean[0] - process.mean[1] == pytest.approx(0.1)


@pytest.mark.parametrize(("mean", "deviation"), [(0.5, 0.1), (0.7, 0.05), (0.3, 0.2)])
def test_expected_improvement_is_the_mean_of_what_is_gained(mean: float, deviation: float) -> None:
    draws = np.random.default_rng(0).normal(mean, deviation, 200_000)
    gained = np.maximum(0.0, draws - 0.6).mean()
    found = expected_improvement(np.array([mean]), np.array([deviation]), 0.6)
    assert found[0] == pytest.approx(gained, abs=3 * deviation / sqrt(200_000))


def test_a_batch_does_not_hold_twins() -> None:
    """Of two candidates that are alike the second tells nothing that the first did not."""
    observed = [({"a": 0.0, "b": 0.0}, 0.5), ({"a": 1.0, "b": 0.0}, 0.52), ({"b": 1.0}, 0.51)]
    twins = [{"a": 3.0}, {"a": 3.0, "b": 1e-6}, {"a": -1.0, "b": 3.0}]
    picked, worth = Process(observed, twins, {}, 0.01).pick(range(3), 2)
    assert 2 in picked
    assert worth > 0


def test_a_pick_is_from_those_named_and_the_first_from_the_first() -> None:
    observed = [({"a": float(n)}, 0.5 + 0.1 * n) for n in range(3)]
    process = Process(observed, [{"a": float(n)} for n in range(3, 9)], {}, 0.01)
    assert process.pick([0, 2, 4], 2, first=[0])[0][0] == 0
    assert process.pick([0, 2, 4], 1)[0] == [4]
    assert sorted(process.pick([0, 2, 4], 9)[0]) == [0, 2, 4]


def test_equal_scores_are_no_error() -> None:
    process = Process([({"a": 1.0}, 0.5), ({"a": 1.0}, 0.5)], [{"a": 1.0}], {}, 0.01)
    assert process.mean[0] == pytest.approx(0.5)
    assert np.isfinite(process.deviation()).all()
