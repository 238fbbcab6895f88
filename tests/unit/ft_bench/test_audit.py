from __future__ import annotations

import pytest

from ft_bench.audit import Reference, normalised, tolerated
from ft_bench.record import Overlap


def overlap_of(reference: list[str], prompts: list[str]) -> Overlap:
    return Reference("validation", reference).overlap(prompts)


LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("A  Film,\n really?", "a film really"), ("", ""), ("... !", ""), ("ÄÖ_1 B", "äö_1 b")],
)
def test_normalised_is_words_in_lower_case(text: str, expected: str) -> None:
    assert normalised(text) == expected


def test_one_word_is_a_code_and_stays() -> None:
    """Benzene is not cyclohexane, though their letters are the same."""
    assert normalised(" c1ccccc1 ") == "c1ccccc1" != normalised("C1CCCCC1")
    found = overlap_of(["c1ccccc1"], ["C1CCCCC1", "c1ccccc1"])
    assert found == Overlap(split="validation", exact=1, rows=2)


def test_exact_overlap_looks_past_case_and_punctuation() -> None:
    found = overlap_of(["A good film.", "A bad film."], ["a GOOD film", "another", "x"])
    assert found == Overlap(split="validation", exact=1, rows=3)


def test_thirteen_words_in_a_row_are_an_overlap_and_twelve_are_none() -> None:
    words = LONG.split()
    others = ["something else entirely", "and more", "and yet more"]
    thirteen, twelve = " ".join(words[:13]), " ".join(words[:12])
    found = Reference("test", [LONG, *others]).overlap(
        [f"before {thirteen} after", f"before {twelve} after", " ".join(words[1:])]
    )
    assert found == Overlap(split="test", ngram13=2, rows=3)


def test_an_instruction_that_all_rows_share_is_no_overlap() -> None:
    rows = [f"{LONG} item {n}" for n in range(4)]
    assert overlap_of(rows, [f"{LONG} another"]).ngram13 == 0
    assert overlap_of([*rows[:2], "a", "b"], [f"{LONG} another"]).ngram13 == 1


def test_each_row_counts_once() -> None:
    found = overlap_of([LONG, "x", "y"], [f"{LONG} and {LONG}", LONG, LONG])
    assert (found.exact, found.ngram13, found.rows) == (2, 3, 3)


def test_an_empty_side_has_no_overlap() -> None:
    assert overlap_of([], ["a"]) == Overlap(split="validation", rows=1)
    assert overlap_of(["a"], []) == Overlap(split="validation")


def test_what_the_pool_does_not_hold_was_brought_in() -> None:
    split = Reference("test", ["a b", "c d", "e f"], pool=["A b!"])
    found = split.overlap(["a b", "c d", "c  d.", "g"])
    assert (found.exact, found.leaked) == (3, 1)
    assert (tolerated(100), tolerated(4000)) == (5, 20)


def test_near_duplicates_are_counted_past_the_template() -> None:
    from aidp.leak import count_near

    template = "Which of these two labels fits the mood of the sentence that follows here: "
    body = "the actors carry a slow and tender story about two brothers who lost their farm"
    rest = [f"{template}number {n} is wholly its own thing {n * 7919}" for n in range(200)]
    split = Reference("test", [template + body, *rest], near=count_near)
    texts = [f"{template}{body} in spring", f"{template}a quite different remark on the weather"]
    assert (split.overlap(texts).exact, split.overlap(texts).near) == (0, 1)
    assert count_near([], ["a"]) == count_near(["a"], []) == 0


CHINESE = "被告人张某于二〇一六年三月在某市某区盗窃他人财物价值人民币八千余元"


@pytest.mark.parametrize("text", [CHINESE, f"事实:{CHINESE}\n罪名:"])
def test_a_text_without_blanks_overlaps_by_characters(text: str) -> None:
    """Twenty characters stand for thirteen words: a run of nineteen is none."""
    others = ["另一个问题", "第三个问题"]
    twenty, nineteen = CHINESE[3:23], CHINESE[3:22]
    prompts = [f"甲乙丙，{twenty}。丁", f"甲乙丙，{nineteen}。丁", "完全不同的一句话"]
    found = Reference("test", [text, *others]).overlap(prompts)
    assert (found.exact, found.ngram13) == (0, 1)


def test_a_shared_chinese_instruction_is_no_overlap() -> None:
    rows = [f"{CHINESE}。问题{n}" for n in "一二三四"]
    assert overlap_of(rows, [f"{CHINESE}。问题五"]).ngram13 == 0
