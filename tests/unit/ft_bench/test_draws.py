"""Draws over seeds and between competitors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats as peer

from ft_bench.draws import item_draws, over_seeds, superiority, two_level
from ft_bench.stats import bootstrap, gain_interval, resample

Floats = NDArray[np.float64]


def mean(sums: Floats) -> Floats:
    """Columns are (value, 1)."""
    return sums[..., 0] / sums[..., 1]


def items(values: list[float]) -> Floats:
    return np.array([[value, 1.0] for value in values])


def coins(n: int, p: float, seed: int) -> Floats:
    return items(list((np.random.default_rng(seed).random(n) < p).astype(float)))


def test_a_models_draws_do_not_depend_on_who_stands_beside_it() -> None:
    one, other = coins(200, 0.7, 0), coins(200, 0.4, 1)
    alone, beside = item_draws([one], mean, 5), item_draws([other, one], mean, 5)
    assert (alone[0] == beside[1]).all()
    assert alone[0].std() == pytest.approx(np.sqrt(0.7 * 0.3 / 200), rel=0.1)


def test_models_are_drawn_on_the_same_items() -> None:
    one = coins(300, 0.6, 0)
    other = one.copy()
    other[:3, 0] = 1.0
    first, second = item_draws([one, other], mean, 1)
    assert (second >= first).all()


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_where_seeds_are_all_that_varies_the_interval_is_students(count: int) -> None:
    rng = np.random.default_rng(count)
    wide, students = [], []
    for repeat in range(40):
        values = rng.normal(0.5, 0.05, count)
        drawn = over_seeds(np.repeat(values[:, None], 4000, axis=1), repeat)
        wide.append(np.diff(np.quantile(drawn, [0.025, 0.975]))[0])
        spread = values.std(ddof=1) / np.sqrt(count)
        students.append(2 * peer.t.ppf(0.975, count - 1) * spread)
    assert np.mean(wide) == pytest.approx(np.mean(students), rel=0.3)


def test_a_gain_is_paired_with_the_references_own_predictions() -> None:
    """What tuned, base and reference have in common cancels: the interval is narrower."""
    rng = np.random.default_rng(0)
    ease = rng.random(600)
    base, tuned, reference = (items(list((ease < p).astype(float))) for p in (0.3, 0.5, 0.7))
    given = {"half_width": 0.02, "seed": 1}
    paired = gain_interval(tuned, base, mean, reference=None, measured=reference, **given)
    fixed = gain_interval(tuned, base, mean, reference=0.7, **given)
    assert paired.reference == pytest.approx(float(mean(reference.sum(axis=0))))
    assert paired.value == pytest.approx(0.5, abs=0.05)
    assert paired.ci is not None
    assert fixed.ci is not None
    assert "measured" in paired.ci.method
    assert "fixed" in fixed.ci.method
    assert paired.ci.low < 0.5 < paired.ci.high


def test_one_seed_has_the_interval_of_its_items() -> None:
    one = coins(300, 0.7, 0)
    found, items_alone = two_level([one], mean, seed=3), bootstrap(mean(resample(one, 3)))
    assert (found.low, found.high) == pytest.approx((items_alone.low, items_alone.high), abs=0.005)


def test_seeds_that_differ_widen_the_interval() -> None:
    same = two_level([coins(400, 0.7, 0)] * 4, mean, seed=1)
    apart = two_level([coins(400, p, n) for n, p in enumerate((0.5, 0.6, 0.8, 0.9))], mean, seed=1)
    assert apart.high - apart.low > 2 * (same.high - same.low)


@given(
    st.lists(st.lists(st.sampled_from([0.0, 1.0]), min_size=5, max_size=5), min_size=1, max_size=4)
)
@settings(max_examples=25, deadline=None)
def test_the_interval_over_seeds_holds_the_mean_and_has_a_width(values: list[list[float]]) -> None:
    found = two_level([items(row) for row in values], mean, seed=0)
    assert found.low < found.high
    assert found.low - 1e-9 <= float(np.mean(values)) <= found.high + 1e-9


def test_ranks_by_superiority_show_what_cannot_be_told_apart() -> None:
    rng = np.random.default_rng(0)
    draws = [rng.normal(middle, 0.01, 4000) for middle in (0.9, 0.7, 0.705, 0.2)]
    assert superiority(draws) == [(1, 1), (2, 3), (2, 3), (4, 4)]


def test_equals_are_tied() -> None:
    draws = np.full(100, 0.5)
    assert superiority([draws, draws, draws]) == [(1, 3)] * 3
    assert superiority([]) == []
