"""Properties of every scorer: gold is maximal, order is irrelevant, batches add up."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import ROWS, SCORERS

from ft_bench.errors import UnknownName

TASKS = sorted(SCORERS)
ENGLISH = (
    "positive",
    "A",
    "B",
    "true",
    "C, A, B, D",
    "amine",
    "none",
    "inducing angiogenesis",
    "58",
)
CHINESE = ("甲", "乙", "、", "时间:今天", "4个月", "第3条")
MARKS = (
    "Final Answer:",
    "Action:OCR\n",
    "Action Input:",
    '{"image": "a.jpg"}',
    "CCO",
    "N",
    "[",
    "]",
)
TAGS = ("<think>", "</think>", "{", "}", " ", "\n", "1")
PIECES = st.sampled_from((*ENGLISH, *CHINESE, *MARKS, *TAGS))
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=8).map("".join)


def table(task: str, outputs: list[str], order: list[int] | None = None) -> np.ndarray:
    rows = ROWS[task]
    places = order or list(range(len(rows)))
    rows, outputs = [rows[at] for at in places], [outputs[at] for at in places]
    items = SCORERS[task].score_items(rows, outputs)
    return np.asarray(SCORERS[task].statistics(rows, items))


def value(task: str, sums: np.ndarray) -> float:
    return float(SCORERS[task].value(sums))


@pytest.mark.parametrize("task", TASKS)
@given(data=st.data())
def test_no_output_scores_more_than_gold(task: str, data: Any) -> None:
    gold = [row["answer"] for row in ROWS[task]]
    best = value(task, table(task, gold).sum(axis=0))
    outputs = data.draw(st.lists(TEXTS, min_size=len(gold), max_size=len(gold)))
    got = value(task, table(task, outputs).sum(axis=0))
    assert got <= best + 1e-12
    assert np.isfinite(got)


@pytest.mark.parametrize("task", TASKS)
@given(data=st.data())
def test_order_does_not_matter_and_batches_add_up(task: str, data: Any) -> None:
    n = len(ROWS[task])
    outputs = data.draw(st.lists(TEXTS, min_size=n, max_size=n))
    order = data.draw(st.permutations(range(n)))
    whole = table(task, outputs)
    turned = table(task, outputs, list(order))
    np.testing.assert_allclose(whole.sum(axis=0), turned.sum(axis=0), rtol=0, atol=1e-12)
    cut = data.draw(st.integers(1, n - 1))
    first, second = (table(task, outputs, part) for part in (list(range(cut)), list(range(cut, n))))
    np.testing.assert_allclose(whole, np.concatenate([first, second]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("task", TASKS)
def test_gold_reaches_the_ceiling(task: str) -> None:
    gold = [row["answer"] for row in ROWS[task]]
    assert value(task, table(task, gold).sum(axis=0)) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_an_empty_selection_is_the_floor(task: str) -> None:
    sums = table(task, [row["answer"] for row in ROWS[task]])[:0].sum(axis=0)
    assert value(task, sums) == 0.0
    assert all(np.isfinite(part) for part in SCORERS[task].components(sums).values())


@pytest.mark.parametrize("task", TASKS)
def test_value_takes_many_sums_at_once(task: str) -> None:
    statistics = table(task, [row["answer"] for row in ROWS[task]])
    many = np.stack([statistics.sum(axis=0), np.zeros(statistics.shape[1]), statistics[0]])
    values = SCORERS[task].value(many)
    assert values.shape == (3,)
    assert values.tolist() == [value(task, sums) for sums in many]


@pytest.mark.parametrize("task", TASKS)
def test_predictions_are_json_and_scorers_pickle(task: str) -> None:
    scorer = pickle.loads(pickle.dumps(SCORERS[task]))
    for parser in scorer.parsers:
        for item in scorer.score_items(
            ROWS[task], [row["answer"] for row in ROWS[task]], parser=parser
        ):
            json.dumps([item.prediction, dict(item.components)])


@pytest.mark.parametrize("task", TASKS)
def test_an_unknown_parser_is_refused(task: str) -> None:
    with pytest.raises(UnknownName):
        SCORERS[task].score_items([], [], parser="nonsense")
