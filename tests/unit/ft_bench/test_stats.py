from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats as peer

from ft_bench.stats import (
    bootstrap,
    gain,
    gain_interval,
    interval_of,
    mean_interval,
    probability_better,
    ranks,
    resample,
    wilson,
)

Floats = NDArray[np.float64]

TABLE_3 = [
    ("aci_bench", 0.240, 0.205, 0.260, 157, 0.502, 849),
    ("tomg_bench", 0.642, 0.182, 0.557, 82, 0.681, 108),
    ("omebench", 0.283, 0.198, 0.392, 228, 0.484, 336),
    ("hoc", 0.645, 0.462, 0.896, 237, 0.897, 238),
    ("cs_bench", 0.853, 0.532, 0.572, 12, 0.581, 15),
    ("openfindata", 0.833, 0.494, 0.688, 57, 0.699, 60),
    ("sst2", 0.970, 0.958, 0.963, 42, 0.972, 117),
    ("econlogicqa", 0.469, 0.260, 0.392, 63, 0.454, 93),
    ("gta", 0.722, 0.582, 0.613, 22, 0.652, 50),
    ("lawbench", 0.512, 0.242, 0.421, 66, 0.409, 62),
]


def mean(sums: Floats) -> Floats:
    """Columns are (value, 1)."""
    return sums[..., 0] / sums[..., 1]


def f1(sums: Floats) -> Floats:
    """Columns are (TP, FP, FN)."""
    below = 2 * sums[..., 0] + sums[..., 1] + sums[..., 2]
    return np.divide(2 * sums[..., 0], below, out=np.zeros_like(below), where=below > 0)


def items(values: list[float]) -> Floats:
    return np.array([[value, 1.0] for value in values])


def coins(n: int, p: float, seed: int) -> Floats:
    return items(list((np.random.default_rng(seed).random(n) < p).astype(float)))


@pytest.mark.parametrize(
    ("task", "reference", "base", "qwen", "qwen_gain", "gemini", "gemini_gain"), TABLE_3
)
def test_gain_gives_the_percentages_of_the_papers_table_3(
    task: str,
    reference: float,
    base: float,
    qwen: float,
    qwen_gain: int,
    gemini: float,
    gemini_gain: int,
) -> None:
    assert round(100 * gain(qwen, base, reference)) == qwen_gain
    assert round(100 * gain(gemini, base, reference)) == gemini_gain


def test_gain_without_a_distance_is_an_error() -> None:
    with pytest.raises(ZeroDivisionError):
        gain(0.6, 0.5, 0.5)


@pytest.mark.parametrize(("k", "n"), [(0, 10), (10, 10), (1, 3), (37, 100), (1707, 1821)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_wilson_is_scipys(k: int, n: int, level: float) -> None:
    found = wilson(k, n, level)
    expected = peer.binomtest(k, n).proportion_ci(level, method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.level == level


def test_wilson_of_nothing_is_everything() -> None:
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_proportion_and_has_a_width(pair: tuple[int, int]) -> None:
    k, n = pair
    found = wilson(k, n)
    assert 0 <= found.low <= k / n <= found.high <= 1
    assert found.high > found.low


def _direct(statistics: Floats, draws: int, seed: int) -> Floats:
    """The textbook item bootstrap: draw items with replacement, then sum."""
    picks = np.random.default_rng(seed).integers(0, len(statistics), (draws, len(statistics)))
    return statistics[picks].sum(axis=1)


def test_resampling_rows_by_kind_is_resampling_items() -> None:
    rng = np.random.default_rng(5)
    statistics = rng.integers(0, 3, (40, 3)).astype(float)
    ours, direct = resample(statistics, 1, 20_000), _direct(statistics, 20_000, 2)
    assert ours.shape == direct.shape
    assert ours.mean(axis=0) == pytest.approx(direct.mean(axis=0), rel=0.01)
    assert np.cov(ours.T) == pytest.approx(np.cov(direct.T), rel=0.05, abs=1.0)
    at = np.linspace(0.025, 0.975, 9)
    assert np.quantile(f1(ours), at) == pytest.approx(np.quantile(f1(direct), at), abs=0.006)
    assert peer.ks_2samp(f1(ours), f1(direct)).pvalue > 0.001


def test_continuous_values_are_resampled_too() -> None:
    statistics = items(list(np.random.default_rng(3).beta(2, 3, 60)))
    ours, direct = mean(resample(statistics, 1)), mean(_direct(statistics, 10_000, 2))
    assert np.quantile(ours, [0.025, 0.975]) == pytest.approx(
        np.quantile(direct, [0.025, 0.975]), abs=0.006
    )


def test_the_number_of_blocks_does_not_show() -> None:
    """More distinct rows than one block holds."""
    statistics = items(list(np.random.default_rng(0).random(900)))
    sums = resample(statistics, 4, 9000)
    assert sums.shape == (9000, 2)
    assert (sums[:, 1] == 900).all()
    assert mean(sums).std() == pytest.approx(statistics[:, 0].std() / 30, rel=0.05)


def test_resampling_depends_on_the_seed_alone() -> None:
    statistics = coins(30, 0.5, 0)
    assert (resample(statistics, 7, 50) == resample(statistics, 7, 50)).all()
    assert (resample(statistics, 7, 50) == resample(statistics[::-1], 7, 50)).all()
    assert (resample(statistics, 7, 50) != resample(statistics, 8, 50)).any()


def test_the_percentile_interval() -> None:
    found = bootstrap(np.arange(1001, dtype=float), 0.9)
    assert (found.low, found.high) == pytest.approx((50.0, 950.0))


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=0, max_size=12),
    st.sampled_from(["proportion", "mean", "corpus"]),
)
def test_no_interval_of_a_score_has_zero_width(values: list[float], kind: str) -> None:
    statistics = items(values) if values else np.zeros((0, 2))
    found = interval_of(statistics, mean, kind=kind, span=(0.0, 1.0), seed=1)
    assert 0 <= found.low < found.high <= 1
    if values:
        assert found.low <= np.mean(values) <= found.high


def test_a_proportion_gets_wilson_and_a_corpus_metric_a_bootstrap() -> None:
    statistics = coins(100, 0.7, 1)
    assert interval_of(statistics, mean, kind="proportion", span=(0, 1), seed=1).method == "wilson"
    assert interval_of(statistics, mean, kind="corpus", span=(0, 1), seed=1).method == "bootstrap"


def test_a_degenerate_bootstrap_stays_on_the_metrics_scale() -> None:
    found = interval_of(items([100.0] * 20), mean, kind="mean", span=(0.0, 100.0), seed=1)
    assert 80 < found.low < 100
    assert found.high == 100


def test_probability_better_against_counting() -> None:
    a, b = coins(60, 0.7, 1), coins(60, 0.55, 2)
    picks = np.random.default_rng(0).integers(0, 60, (20_000, 60))
    delta = (a[picks, 0] - b[picks, 0]).sum(axis=1)
    expected = (delta > 0).mean() + 0.5 * (delta == 0).mean()
    assert probability_better(a, b, mean, seed=3) == pytest.approx(expected, abs=0.015)
    flipped = probability_better(b, a, mean, seed=3)
    assert flipped == pytest.approx(1 - expected, abs=0.015)
    assert probability_better(a, b, mean, seed=3, direction="min") == pytest.approx(
        1 - expected, abs=0.015
    )


def test_a_model_against_itself_is_even() -> None:
    assert probability_better(coins(50, 0.5, 1), coins(50, 0.5, 1), mean, seed=1) == 0.5


def test_pairs_are_kept() -> None:
    """Right on one item more: certain on pairs, all but even on unpaired scores."""
    base = coins(200, 0.5, 1)
    better = base.copy()
    better[np.flatnonzero(base[:, 0] == 0)[:8], 0] = 1
    assert probability_better(better, base, mean, seed=1) > 0.99


def test_unequal_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 2\) and \(4, 2\)"):
        probability_better(coins(3, 0.5, 1), coins(4, 0.5, 1), mean, seed=1)


def test_the_gain_of_a_run() -> None:
    base, tuned = coins(400, 0.5, 1), coins(400, 0.8, 2)
    found = gain_interval(tuned, base, mean, reference=0.9, half_width=0.03, seed=1)
    after, before = mean(tuned.sum(axis=0)), mean(base.sum(axis=0))
    assert found.value == pytest.approx((after - before) / (0.9 - before))
    assert found.delta == pytest.approx(after - before)
    assert found.ci is not None
    assert found.ci.low < found.value < found.ci.high
    assert found.delta_ci.low < found.delta < found.delta_ci.high
    assert (found.base, found.reference, found.weak) == (before, 0.9, False)


def test_the_interval_of_the_difference_is_the_paired_one() -> None:
    base, tuned = coins(300, 0.5, 1), coins(300, 0.6, 2)
    found = gain_interval(tuned, base, mean, reference=None, half_width=0.05, seed=1)
    half = 1.96 * (tuned[:, 0] - base[:, 0]).std() / np.sqrt(300)
    assert (found.delta_ci.high - found.delta_ci.low) / 2 == pytest.approx(half, rel=0.05)
    assert (found.value, found.ci) == (None, None)


@pytest.mark.parametrize(
    ("reference", "half", "weak"), [(0.9, 0.05, False), (0.55, 0.05, True), (0.599, 0.05, True)]
)
def test_a_weak_denominator_is_marked(reference: float, half: float, weak: bool) -> None:
    base = items([1.0, 0.0] * 100)
    found = gain_interval(
        coins(200, 0.6, 1), base, mean, reference=reference, half_width=half, seed=1
    )
    assert found.weak is weak


def test_a_reference_at_the_base_gives_no_gain() -> None:
    base = items([1.0, 0.0] * 100)
    found = gain_interval(coins(200, 0.6, 1), base, mean, reference=0.5, half_width=0.1, seed=1)
    assert found.value is None
    assert found.ci is None


def test_down_is_better_where_the_metric_says_so() -> None:
    base, tuned = coins(400, 0.8, 1), coins(400, 0.5, 2)
    found = gain_interval(
        tuned, base, mean, reference=0.2, half_width=0.03, seed=1, direction="min"
    )
    assert found.delta > 0.2
    assert found.value is not None
    assert found.ci is not None
    assert 0.3 < found.ci.low < found.value < found.ci.high < 0.7


@pytest.mark.parametrize("direction", ["max", "min"])
@pytest.mark.parametrize("reference", [0.2, 0.9])
@pytest.mark.parametrize("same", [True, False])
def test_a_gain_lies_in_its_interval_which_has_a_width(
    direction: str, reference: float, same: bool
) -> None:
    """Also where tuned and base agree on every item, and where the reference is the worse."""
    base = items([1.0, 0.0] * 30)
    tuned = base if same else items([1.0] * 60)
    found = gain_interval(
        tuned, base, mean, reference=reference, half_width=0.1, seed=1, direction=direction
    )
    assert found.value is not None
    assert found.ci is not None
    assert found.ci.low <= found.value <= found.ci.high
    assert found.ci.low < found.ci.high
    assert found.delta_ci.low < found.delta_ci.high


@pytest.mark.parametrize("reference", [0.2, 0.9])
@pytest.mark.parametrize("direction", ["max", "min"])
def test_a_constant_difference_keeps_the_sign_of_the_gain(direction: str, reference: float) -> None:
    base, tuned = items([0.5] * 20), items([0.8] * 20)
    found = gain_interval(
        tuned, base, mean, reference=reference, half_width=0.1, seed=1, direction=direction
    )
    assert found.value == pytest.approx(0.3 / (reference - 0.5))
    assert found.ci is not None
    assert found.ci.low < found.value < found.ci.high


def test_the_mean_over_seeds_has_students_interval() -> None:
    values = [0.71, 0.74, 0.69, 0.73]
    middle, found = mean_interval(values)
    low, high = peer.t.interval(0.95, 3, np.mean(values), peer.sem(values))
    assert middle == pytest.approx(np.mean(values))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_the_items_widen_the_interval_over_seeds() -> None:
    one, two = mean_interval([0.7], 0.02**2)[1], mean_interval([0.7, 0.7], 0.02**2)[1]
    assert one.high - 0.7 == pytest.approx(1.96 * 0.02, rel=1e-3)
    assert two.high - 0.7 == pytest.approx(1.96 * 0.02, rel=1e-3)


@given(st.lists(st.integers(0, 5).map(float), min_size=1, max_size=9))
def test_ranks_are_scipys(scores: list[float]) -> None:
    assert ranks(scores, direction="min") == pytest.approx(list(peer.rankdata(scores)))
    assert ranks(scores) == pytest.approx(list(peer.rankdata([-score for score in scores])))


def test_the_file_of_table_3_reproduces_all_20_percentages() -> None:
    path = Path(__file__).parents[3] / "results" / "paper" / "table3.json"
    rows = json.loads(path.read_text("utf-8"))["rows"]
    pairs = [
        (round(100 * gain(score, row["base"], row["reference"])), row["gain_percent"][agent])
        for row in rows
        for agent, score in row["scores"].items()
    ]
    assert len(pairs) == 20
    assert [found for found, _ in pairs] == [printed for _, printed in pairs]
