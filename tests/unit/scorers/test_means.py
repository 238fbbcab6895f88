"""Means: plain and grouped, over any set of items, and the refusals."""

from __future__ import annotations

import numpy as np
import pytest

from ft_bench.errors import UnknownName, UsageError
from ft_bench.protocols import ItemScore, Row
from ft_bench_scorers.means import GroupMeanScorer, MeanScorer, ratio


def length_score(row: Row, text: str, parser: str) -> ItemScore:
    return ItemScore(str(row["id"]), float(len(text)), bool(text), text, {"a": float("a" in text)})


PLAIN = MeanScorer(name="length", version="1", score=length_score, parts=("a",))
GROUPED = GroupMeanScorer(
    name="length",
    version="1",
    score=length_score,
    groups=("x", "y", "z"),
    group_of=lambda row: str(row["group"]),
    parts=("a",),
)
ROWS = [{"id": str(i), "group": group} for i, group in enumerate("xxy")]
OUTPUTS = ["a", "bbb", "a" * 6]


def sums(scorer: MeanScorer | GroupMeanScorer) -> np.ndarray:
    return scorer.statistics(ROWS, scorer.score_items(ROWS, OUTPUTS)).sum(axis=0)


def test_plain_mean_and_its_parts() -> None:
    assert float(PLAIN.value(sums(PLAIN))) == pytest.approx(10 / 3)
    assert PLAIN.components(sums(PLAIN)) == {"a": pytest.approx(2 / 3)}


def test_grouped_mean_weighs_groups_alike_and_leaves_out_empty_ones() -> None:
    assert float(GROUPED.value(sums(GROUPED))) == pytest.approx((2 + 6) / 2)
    assert GROUPED.components(sums(GROUPED)) == {"x": 2.0, "y": 6.0, "a": pytest.approx(2 / 3)}


@pytest.mark.parametrize("scorer", [PLAIN, GROUPED])
def test_an_empty_selection_is_the_floor(scorer: MeanScorer | GroupMeanScorer) -> None:
    table = scorer.statistics([], [])
    assert table.shape[0] == 0
    assert float(scorer.value(table.sum(axis=0))) == 0.0
    scorer.components(table.sum(axis=0))


@pytest.mark.parametrize("scorer", [PLAIN, GROUPED])
def test_value_is_vectorised_over_a_bootstrap(scorer: MeanScorer | GroupMeanScorer) -> None:
    table = scorer.statistics(ROWS, scorer.score_items(ROWS, OUTPUTS))
    counts = np.array([[1, 1, 1], [0, 0, 0], [2, 0, 1]], dtype=np.float64)
    values = scorer.value(counts @ table)
    assert values.shape == (3,)
    assert values[1] == 0.0
    assert values[2] == float(scorer.value(2 * table[0] + table[2]))


def test_an_unknown_parser_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="did you mean 'strict'"):
        PLAIN.score_items(ROWS, OUTPUTS, parser="strikt")


def test_outputs_must_pair_with_rows() -> None:
    with pytest.raises(UsageError, match="got 1 outputs for 3 rows"):
        PLAIN.score_items(ROWS, ["a"])


def test_ratio_has_no_nan() -> None:
    assert ratio(np.array([1.0, 2.0]), np.array([0.0, 4.0])).tolist() == [0.0, 0.5]
