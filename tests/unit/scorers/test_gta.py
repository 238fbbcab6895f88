"""GTA: how outputs are read as steps, and how answers are compared."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rows import ROWS

from ft_bench_scorers.gta import SCORER, gta_scorer
from ft_bench_scorers.gta_answers import answer_score, names_agree, trigram_similarity
from ft_bench_scorers.gta_react import arguments_of, is_call, name_of, parse_step

TOOLS, FILES = ROWS["gta"][0]["tools"], ROWS["gta"][0]["files"]


def parsed(text: str) -> Any:
    return parse_step(text, TOOLS, FILES)


def test_the_last_final_answer_counts_and_keeps_its_blanks() -> None:
    assert parsed("Final Answer: 1\nFinal Answer: 58 ")["content"] == " 58 "


@pytest.mark.parametrize(
    ("text", "name", "error"),
    [
        ('Action:OCR\nAction Input:{"image": "a.jpg"}', "OCR", None),
        ('Action: OCR.run \nAction Input: "{"image": "a.jpg"}"', "OCR", None),
        ('Action:OCR\nAction Input:```json\n{"image": "a.jpg"}\n```', "OCR", None),
        ('Action:OCR\nAction Input:{"image": "b.jpg"}', "OCR", "API_ERROR"),
        ('Action:OCR\nAction Input:{"image": "a.jpg"}\nResponse: x', "OCR", "ARGS_ERROR"),
        ('Action:OCR\nAction Input:{"image": "a.jpg", "x": 1}', "OCR", "ARGS_ERROR"),
        ("Action:OCR\nAction Input:{}", "OCR", "ARGS_ERROR"),
        ("Action:OCR.other\nAction Input:{}", "OCR", "API_ERROR"),
        ("Action:Search\nAction Input:{}", "Search", None),
        ('Action:Search\nAction Input:{"k": "x"}', "Search", "API_ERROR"),
        ("Action:Draw\nAction Input:{}", "InvalidAction", "API_ERROR"),
        ("Action:OCR", "NoAction", "API_ERROR"),
        ("I would look.", "NoAction", "API_ERROR"),
    ],
)
def test_calls_are_read_by_the_protocol(text: str, name: str, error: str | None) -> None:
    step = parsed(text)
    assert is_call(step)
    assert name_of(step) == name
    assert step.get("error", {}).get("type") == error


def test_arguments_that_cannot_be_read_stay_text() -> None:
    assert arguments_of(parsed("Action:OCR\nAction Input:{bad")) == "{bad"


def test_names_are_whole_words_and_black_ones_forbid() -> None:
    reference = {"whitelist": [["58", "fifty-eight"], ["days"]], "blacklist": [["59"]]}
    assert names_agree(reference, "It is 58 DAYS.")
    assert not names_agree(reference, "It is 158 days.")
    assert not names_agree(reference, "58 days, not 59")
    assert not names_agree({"whitelist": [["-2"]], "blacklist": None}, " -2 ")


def test_sentences_take_the_best_similarity() -> None:
    assert answer_score(["a dog", "a cat"], "a cat", trigram_similarity) == pytest.approx(1.0)
    assert answer_score(None, "anything", trigram_similarity) == 0.0
    assert trigram_similarity("", "") == 0.0


def test_denominators_are_gold_calls_and_samples_with_a_reference() -> None:
    rows = ROWS["gta"]
    items = SCORER.score_items(rows, [row["answer"] for row in rows])
    parts = SCORER.components(SCORER.statistics(rows, items).sum(axis=0))
    assert parts == {
        "inst_acc": 1.0,
        "tool_acc": 1.0,
        "arg_acc": 1.0,
        "summ_acc": pytest.approx(1.0),
        "tool_call": 1.0,
        "tool_call_error": 0.0,
    }


def test_another_similarity_can_be_given() -> None:
    scorer = gta_scorer(lambda first, second: 0.25)
    (item,) = scorer.score_items([ROWS["gta"][2]], ["Final Answer:a cat"])
    assert item.value == 0.25


def test_steps_can_be_given_as_upstream_stores_them() -> None:
    gold = [json.dumps(row["gold"]) for row in ROWS["gta"]]
    items = SCORER.score_items(ROWS["gta"], gold, parser="json")
    assert [item.value for item in items] == pytest.approx([1.0, 1.0, 1.0])
    (broken,) = SCORER.score_items(ROWS["gta"][:1], ['{"tool_calls": [{}]}'], parser="json")
    assert (broken.value, broken.valid) == (0.0, False)


@pytest.mark.parametrize(
    "text", ["", "[", "5", "{}", "[5]", '[{"tool_calls": [{}]}]', "null", "[" * 50_000]
)
def test_what_is_no_list_of_steps_earns_nothing(text: str) -> None:
    row = {"id": "a", "dialogs": [], "reference": {"whitelist": [["58"]]}, "counts": 1}
    (item,) = SCORER.score_items([row], [text], parser="dialogue")
    assert (item.value, item.valid) == (0.0, False)
