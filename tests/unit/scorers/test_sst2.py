"""SST-2: which word of an output is the answer."""

from __future__ import annotations

import pytest

from ft_bench_scorers.sst2 import SCORER, find_sentiment


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("positive", "positive"),
        ("It could be negative but it is POSITIVE.", "positive"),
        ("positively", None),
        ("1", "positive"),
        ("0.", "negative"),
        ("0.5", None),
        ("LABEL_1", None),
        ("答案是positive", "positive"),
        ("positive, 0 of 10", "positive"),
        ("po\u017fitive", None),
        ("", None),
    ],
)
def test_last_whole_word_or_else_last_digit(text: str, found: str | None) -> None:
    assert find_sentiment(text, "strict") == found


def test_public_parsers_differ_where_they_are_known_to() -> None:
    assert find_sentiment("Positive. Clearly so.", "promptbench_cls") is None
    assert find_sentiment("label: positive", "promptbench_general") is None
    assert find_sentiment("not negative, positive", "contains_choice") == "negative"


def test_an_output_without_an_answer_is_wrong_and_invalid() -> None:
    (item,) = SCORER.score_items([{"id": "a", "answer": "positive"}], ["neutral"])
    assert (item.value, item.valid, item.prediction) == (0.0, False, None)
