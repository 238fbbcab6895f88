"""Reasoning blocks: what is left of an output for the parser."""

from __future__ import annotations

import pytest

from ft_bench_scorers.reasoning import answer_texts, strip_reasoning


@pytest.mark.parametrize(
    ("output", "left"),
    [
        ("positive", "positive"),
        ("  positive\n", "  positive\n"),
        ("<think>a or b</think>\n\npositive", "positive"),
        ("<THINK>a</Think>b", "b"),
        ("<think>a", ""),
        ("before <think>a", "before "),
        ("a</think>b", "b"),
        ("<think>a<think>b</think>c</think>d", "d"),
        ("<think>a</think>b<think>c</think>d", "bd"),
        ("", ""),
        ("<thinker>a</thinker>", "<thinker>a</thinker>"),
    ],
)
def test_only_the_answer_is_left(output: str, left: str) -> None:
    assert strip_reasoning(output) == left


def test_verbatim_keeps_everything() -> None:
    output = "<think>a</think>b"
    assert answer_texts([output], "verbatim") == [output]
    assert answer_texts([output, "<THINK>a</thinK>b", "a <b"], "strict") == ["b", "b", "a <b"]


def test_many_tags_are_read_in_one_pass() -> None:
    assert strip_reasoning("<think>" * 150_000) == ""
    assert strip_reasoning("</think>" * 150_000 + "x") == "x"
