"""ROUGE against `rouge_score` itself, and the subsequence against a plain table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft_bench_scorers.rouge import lcs_length, rouge1, rouge_l, tokens

TEXTS = st.text(alphabet="aB1 .-é\u212a\u0130\n中", max_size=60)


@given(TEXTS, TEXTS)
def test_values_equal_rouge_score(prediction: str, reference: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    theirs = RougeScorer(["rouge1", "rougeL"]).score(reference, prediction)
    ours = (tokens(prediction), tokens(reference))
    one, longest = rouge1(*ours), rouge_l(*ours)
    assert one.f == pytest.approx(theirs["rouge1"].fmeasure, abs=1e-12)
    assert one.precision == pytest.approx(theirs["rouge1"].precision, abs=1e-12)
    assert one.recall == pytest.approx(theirs["rouge1"].recall, abs=1e-12)
    assert longest.f == pytest.approx(theirs["rougeL"].fmeasure, abs=1e-12)


def plain_lcs(first: list[int], second: list[int]) -> int:
    row = [0] * (len(second) + 1)
    for one in first:
        before = row
        row = [0]
        for at, two in enumerate(second):
            row.append(before[at] + 1 if one == two else max(before[at + 1], row[-1]))
    return row[-1]


@given(st.lists(st.integers(0, 3), max_size=30), st.lists(st.integers(0, 3), max_size=30))
def test_lcs_equals_the_plain_table(first: list[int], second: list[int]) -> None:
    assert lcs_length(first, second) == plain_lcs(first, second) == lcs_length(second, first)


def test_tokens_are_runs_of_ascii_letters_and_digits() -> None:
    assert tokens("Follow-up: 7.5 snake_case naïve") == [
        *(b"follow", b"up", b"7", b"5", b"snake", b"case", b"na", b"ve")
    ]
    assert tokens("\u212a") == [b"k"]
    assert tokens("") == []
