"""Near-duplicates, measured against the exact Jaccard index on planted ones."""

from __future__ import annotations

import random

import pytest
from datasets import Dataset

import aidp
from aidp import AidpError
from aidp.near import banding

WORDS = [f"w{i}" for i in range(3_000)]


def word_grams(text: str, n: int = 5) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[i : i + n]) for i in range(max(1, len(words) - n + 1))}


def char_grams(text: str, n: int = 5) -> set[str]:
    return {text[i : i + n] for i in range(max(1, len(text) - n + 1))}


def exact_jaccard(a: set, b: set) -> float:
    return len(a & b) / len(a | b)


def planted(n: int, length: int, seed: int = 0) -> list[str]:
    """`n` random texts, then for every tenth a copy with up to eight words changed."""
    draw = random.Random(seed)
    texts = [draw.choices(WORDS, k=length) for _ in range(n)]
    copies = []
    for i in range(0, n, 10):
        copy = list(texts[i])
        for place in draw.sample(range(length), draw.randint(0, min(8, length // 6))):
            copy[place] = draw.choice(WORDS)
        copies.append(copy)
    return [" ".join(words) for words in texts + copies]


@pytest.mark.parametrize(("length", "grams_of"), [(90, word_grams), (14, char_grams)])
def test_recall_and_precision_against_exact_jaccard(length, grams_of):
    texts = planted(3_000, length)
    outcome = aidp.deduplicate_by_minhash(Dataset.from_dict({"text": texts}), report=True)
    grams = [grams_of(text) for text in texts]
    due = {3_000 + i for i in range(300) if exact_jaccard(grams[10 * i], grams[3_000 + i]) >= 0.8}
    assert 50 < len(due) < 300
    left = {row["_row"]: row["_kept_row"] for row in outcome.rejects}
    assert len(due & set(left)) >= 0.99 * len(due)
    assert all(exact_jaccard(grams[a], grams[b]) >= 0.8 for a, b in left.items())


def test_the_same_rows_stay_with_any_number_of_threads():
    rows = Dataset.from_dict({"text": planted(1_000, 60, seed=3)})
    kept = [aidp.deduplicate_by_minhash(rows, num_proc=n)["text"][:] for n in (1, 2, 3)]
    assert kept[0] == kept[1] == kept[2]
    assert len(kept[0]) < 1_100


def test_a_kept_twin_is_a_row_that_stays():
    rows = Dataset.from_dict({"text": planted(500, 60) * 2})
    outcome = aidp.deduplicate_by_minhash(rows, report=True)
    left = set(outcome.rejects["_row"])
    assert left.isdisjoint(outcome.rejects["_kept_row"])


def test_short_and_chinese_rows_that_differ_all_stay():
    chinese = [
        "\u6c34\u662f\u751f\u547d\u4e4b\u6e90",
        "\u5929\u6c14\u5f88\u597d\u6211\u4eec\u51fa\u53bb\u73a9",
        "\u8fd9\u90e8\u7535\u5f71\u975e\u5e38\u6709\u8da3",
        "\u6cd5\u5f8b\u9762\u524d\u4eba\u4eba\u5e73\u7b49",
    ]
    rows = Dataset.from_dict({"text": [*chinese, "good film", "bad film", "a film", "", "!!"]})
    assert len(aidp.deduplicate_by_minhash(rows)) == len(rows)
    doubled = Dataset.from_dict({"text": [*chinese, *chinese]})
    assert aidp.deduplicate_by_minhash(doubled)["text"][:] == chinese


def test_several_columns_and_grams_as_asked():
    rows = Dataset.from_dict({"a": ["one two three four five six"] * 2, "b": ["x", "y"]})
    assert len(aidp.deduplicate_by_minhash(rows, column="a", grams="words")) == 1
    assert len(aidp.deduplicate_by_minhash(rows, column=["a", "b"], threshold=0.95)) == 2


def test_banding_misses_few_pairs_at_the_threshold():
    for threshold in (0.5, 0.7, 0.8, 0.9):
        bands = banding(threshold, 128)
        assert (1 - threshold ** (128 // bands)) ** bands <= 0.002


@pytest.mark.parametrize("options", [{"threshold": 0.0}, {"n": 0}, {"permutations": 0}])
def test_bad_options(options):
    with pytest.raises(AidpError, match="expected"):
        aidp.deduplicate_by_minhash(Dataset.from_dict({"text": ["a"]}), **options)
