"""Scorers of choices and orders: CS-Bench, OpenFinData, EconLogicQA, ACI-Bench."""

from __future__ import annotations

import pytest

from ft_bench_scorers import aci_bench, cs_bench, econlogicqa, openfindata


@pytest.mark.parametrize(
    ("text", "form", "found"),
    [
        ("b", "Multiple-choice", "B"),
        ("(C) because", "Multiple-choice", "C"),
        ("A good answer is D", "Multiple-choice", "A"),
        ("答案是B", "Multiple-choice", None),
        ("A1", "Multiple-choice", None),
        ("TRUE.", "Assertion", "true"),
        ("not false", "Assertion", "false"),
        ("正确", "Assertion", None),
        ("untrue", "Assertion", None),
    ],
)
def test_cs_takes_the_first_answer_that_stands_alone(
    text: str, form: str, found: str | None
) -> None:
    assert cs_bench.find_answer(text, form) == found


def test_cs_reports_formats_tags_and_domains() -> None:
    rows = [
        {"id": "1", "format": "Assertion", "tag": "Knowledge", "domain": "Operating System"}
        | {"answer": "true"},
        {"id": "2", "format": "Multiple-choice", "tag": "Knowledge", "domain": "Computer Network"}
        | {"answer": "A"},
    ]
    items = cs_bench.SCORER.score_items(rows, ["true", "B"])
    parts = cs_bench.SCORER.components(cs_bench.SCORER.statistics(rows, items).sum(axis=0))
    assert parts == {
        "Assertion": 1.0,
        "Multiple-choice": 0.0,
        "Knowledge": 0.5,
        "Operating System": 1.0,
        "Computer Network": 0.0,
    }


@pytest.mark.parametrize(
    ("text", "letter"), [("A。", "A"), ("B，A股", "A"), ("a", ""), ("选Ｂ", "Ｂ"), ("Ⅳ", "Ⅳ")]
)
def test_openfin_takes_the_last_capital_of_any_script(text: str, letter: str) -> None:
    assert openfindata.last_capital(text) == letter


def test_openfin_rounds_entity_recognition_and_reports_the_lettered_mean() -> None:
    rows = [{"id": str(at), "subtask": "entity_recognition", "answer": "甲、乙"} for at in range(3)]
    rows.append({"id": "x", "subtask": "financial_facts", "answer": "B"})
    outputs = ["甲和乙", "甲", "丙", "B"]
    items = openfindata.SCORER.score_items(rows, outputs)
    sums = openfindata.SCORER.statistics(rows, items).sum(axis=0)
    parts = openfindata.SCORER.components(sums)
    assert parts["entity_recognition"] == 0.3333
    assert parts["mean_of_8_lettered"] == 1.0
    assert float(openfindata.SCORER.value(sums)) == pytest.approx((0.3333 + 1.0) / 2, abs=1e-15)


@pytest.mark.parametrize(
    ("text", "strict", "lenient"),
    [
        ("C, A, B, D", "C, A, B, D", "C, A, B, D"),
        ("c > a > b > d", None, "C, A, B, D"),
        ("DACB", None, "D, A, C, B"),
        ("first D, next C, then A, and finally B", None, "D, C, A, B"),
        ("A, A, A, A", "A, A, A, A", None),
        ("Order B, C, D, A. The answer: A, B, C, D", "B, C, D, A", "A, B, C, D"),
        ("A, B, C", None, None),
    ],
)
def test_econ_orders_strict_and_lenient(text: str, strict: str | None, lenient: str | None) -> None:
    assert econlogicqa.find_order(text, "strict") == strict
    assert econlogicqa.find_order(text, "lenient") == lenient


def test_econ_verbatim_stops_at_the_authors_strings() -> None:
    assert econlogicqa.find_order("Question: A, B, C, D", "verbatim") is None
    assert econlogicqa.find_order("A, B, C, D</s>", "verbatim") == "A, B, C, D"


def test_econ_pairs_in_the_right_order() -> None:
    assert econlogicqa.pairwise_accuracy("A, B, D, C", "A, B, C, D") == pytest.approx(5 / 6)
    assert econlogicqa.pairwise_accuracy("A, A, A, A", "A, B, C, D") == 0.0
    assert econlogicqa.pairwise_accuracy(None, "A, B, C, D") == 0.0


def test_aci_reports_precision_and_recall() -> None:
    (item,) = aci_bench.SCORER.score_items([{"id": "a", "answer": "pain in the arm"}], ["arm pain"])
    assert item.components["rouge1_precision"] == 1.0
    assert item.components["rouge1_recall"] == 0.5
    assert item.components["rougeL"] == pytest.approx(1 / 3)
    assert item.value == pytest.approx(2 / 3)
