"""Macro-F1: the tasks that use it, and scikit-learn as the peer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft_bench_scorers import hoc, mini
from ft_bench_scorers.multilabel import MultilabelScorer, set_f1


def score(scorer: MultilabelScorer, golds: list[str], outputs: list[str], parser: str) -> float:
    rows = [{"id": str(i), "answer": gold} for i, gold in enumerate(golds)]
    items = scorer.score_items(rows, outputs, parser=parser)
    return float(scorer.value(scorer.statistics(rows, items).sum(axis=0)))


label_sets = st.lists(st.sampled_from(hoc.LABELS), min_size=1, unique=True)


@given(st.lists(st.tuples(label_sets, label_sets), min_size=1, max_size=20))
def test_value_equals_scikit_learn(pairs: list[tuple[list[str], list[str]]]) -> None:
    from sklearn.metrics import f1_score

    def matrix(sets: list[list[str]]) -> Any:
        return np.array([[int(label in chosen) for label in hoc.LABELS] for chosen in sets])

    gold, found = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    expected = f1_score(matrix(gold), matrix(found), average="macro", zero_division=0.0)
    ours = score(hoc.SCORER, [";".join(g) for g in gold], [";".join(f) for f in found], "strict")
    assert ours == pytest.approx(expected, abs=1e-12)


def test_hoc_takes_names_as_case_sensitive_substrings() -> None:
    assert hoc.find_labels("not inducing angiogenesis!", "strict")[0] == ["inducing angiogenesis"]
    assert hoc.find_labels("Inducing Angiogenesis", "strict") == ([], False)
    assert hoc.find_labels("Inducing_Angiogenesis", "lenient")[0] == ["inducing angiogenesis"]


def test_reasoning_is_stripped_unless_verbatim() -> None:
    output = "<think>inducing angiogenesis?</think>cellular energetics"
    row = {"id": "1", "answer": "cellular energetics"}
    assert hoc.SCORER.score_items([row], [output])[0].value == 1.0
    (item,) = hoc.SCORER.score_items([row], [output], parser="verbatim")
    assert item.prediction == ["inducing angiogenesis", "cellular energetics"]


@pytest.mark.parametrize(
    ("text", "groups", "valid"),
    [
        ("amine; halogen", ["amine", "halogen"], True),
        (" amine ;halogen\nthiol", ["amine", "halogen"], True),
        ("none", [], True),
        ("none; amine", ["amine"], True),
        ("Amine", [], False),
        ("amine halogen", [], False),
        ("", [], False),
    ],
)
def test_mini_reads_exact_names_on_the_first_line(text: str, groups: set[str], valid: bool) -> None:
    assert mini.find_groups(text, "strict") == (groups, valid)


def test_mini_lenient_ignores_case_and_takes_commas() -> None:
    assert mini.find_groups("Groups:\nAmine, Halogen.", "lenient")[0] == ["amine", "halogen"]


def test_components_name_every_label() -> None:
    row = {"id": "1", "answer": "amine"}
    items = mini.SCORER.score_items([row], ["amine; thiol"])
    parts = mini.SCORER.components(mini.SCORER.statistics([row], items).sum(axis=0))
    assert parts["amine"] == 1.0
    assert parts["thiol"] == 0.0
    assert parts["micro_f1"] == pytest.approx(2 / 3)
    assert items[0].value == pytest.approx(2 / 3)


def test_an_empty_selection_is_zero() -> None:
    table = hoc.SCORER.statistics([], [])
    assert table.shape == (0, 35)
    assert float(hoc.SCORER.value(table.sum(axis=0))) == 0.0


def test_set_f1_of_two_empty_sets_is_one() -> None:
    assert set_f1(set(), set()) == 1.0
    assert set_f1({"a"}, set()) == 0.0


def test_an_output_without_an_answer_earns_nothing_where_the_gold_is_none() -> None:
    row = {"id": "1", "answer": "none"}
    items = mini.SCORER.score_items([row] * 3, ["none", "", "I do not know"])
    assert [(item.value, item.valid) for item in items] == [(1.0, True), (0.0, False), (0.0, False)]
