"""Operators that choose rows: duplicates, filters, scores, samples, mixes, classes, conflicts."""

from __future__ import annotations

import numpy as np
import pytest
from datasets import Dataset

import aidp
from aidp import AidpError


def texts(*values: str) -> Dataset:
    return Dataset.from_dict({"text": list(values)})


def test_dedup_keeps_the_first_of_equal_rows():
    outcome = aidp.deduplicate_by_text_hash(texts("a", "b", "a", "b", "c"), report=True)
    assert outcome.dataset["text"][:] == ["a", "b", "c"]
    assert outcome.rejects["_kept_row"][:] == [0, 1]
    assert outcome.account.reasons == {"duplicate": 2}


def test_dedup_can_keep_the_last():
    rows = Dataset.from_dict({"text": ["a", "b", "a"], "n": [1, 2, 3]})
    assert aidp.deduplicate_by_text_hash(rows, keep="last")["n"][:] == [2, 3]


def test_dedup_over_several_columns_needs_all_equal():
    rows = Dataset.from_dict({"a": ["x", "x", "xy", "x"], "b": ["y", "z", "", "y"]})
    assert len(aidp.deduplicate_by_text_hash(rows, column=["a", "b"])) == 3


@pytest.mark.parametrize(("normalise", "kept"), [("none", 4), ("space", 3), ("loose", 1)])
def test_dedup_normalises_as_asked(normalise, kept):
    rows = texts("Hello, world", "Hello,  world ", "hello world!", "\uff28ello world")
    assert len(aidp.deduplicate_by_text_hash(rows, normalise=normalise)) == kept


def test_dedup_by_canonical_smiles():
    pytest.importorskip("rdkit")
    rows = texts("CCO", "OCC", "no molecule", "C(C)O")
    assert aidp.deduplicate_by_text_hash(rows, key="smiles")["text"][:] == ["CCO", "no molecule"]


def test_filter_by_expression_drops_null_conditions():
    rows = Dataset.from_dict({"prompt": ["long enough", "no", None], "n": [1, 2, 3]})
    kept = aidp.select_by_filter(rows, where="length(prompt) >= 3 AND n IN (1, 3)")
    assert kept["n"][:] == [1]


def test_filter_by_predicate_sees_a_mapping():
    rows = Dataset.from_dict({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    assert aidp.select_by_filter(rows, predicate=lambda row: row["a"] > 1)["b"][:] == ["y", "z"]
    seen = []
    aidp.select_by_filter(rows, predicate=lambda row: seen.append(dict(row)) or True)
    assert seen[2] == {"a": 3, "b": "z"}


def test_a_predicate_that_raises_names_the_row():
    rows = Dataset.from_dict({"n": [1] * 17 + [0] + [1] * 9})
    with pytest.raises(AidpError, match="ZeroDivisionError") as caught:
        aidp.select_by_filter(rows, predicate=lambda row: 1 / row["n"] > 0)
    assert caught.value.row == 17
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("n >", "is no condition"),
        ("n + 1", "expected true or false"),
        ("m = 1", "no column 'm'"),
        ("n > AVG(n)", "looks at several rows"),
        ("n > LAG(n) OVER (ORDER BY n)", "looks at several rows"),
        ("n = 'a' AND n LIKE 'b'", "cannot be computed"),
    ],
)
def test_a_bad_condition_is_explained(where, words):
    with pytest.raises(AidpError, match=words) as caught:
        aidp.select_by_filter(Dataset.from_dict({"n": [1]}), where=where)
    assert caught.value.operator == "select_by_filter"


def test_score_ties_go_to_the_earlier_row():
    rows = Dataset.from_dict({"score": [1.0, 3.0, 3.0, 3.0, 2.0], "n": [0, 1, 2, 3, 4]})
    assert aidp.select_by_score(rows, k=2)["n"][:] == [1, 2]
    assert aidp.select_by_score(rows, k=4, order="row")["n"][:] == [1, 2, 3, 4]
    assert aidp.select_by_score(rows, k=2, highest=False)["n"][:] == [0, 4]
    assert aidp.select_by_score(rows, threshold=2.0)["n"][:] == [1, 2, 3, 4]
    assert aidp.select_by_score(rows, fraction=0.4)["n"][:] == [1, 2]


def test_a_nan_score_is_an_error_unless_dropped():
    rows = Dataset.from_dict({"score": [1.0, float("nan"), None, 2.0]})
    with pytest.raises(AidpError) as caught:
        aidp.select_by_score(rows, k=1)
    assert (caught.value.column, caught.value.row) == ("score", 1)
    assert aidp.select_by_score(rows, k=4, nan="drop")["score"][:] == [2.0, 1.0]


def test_random_samples_nest_and_depend_on_the_seed(chat_rows):
    rows = chat_rows(200)
    small, large = (set(aidp.select_by_random(rows, n=n, seed=3)["id"]) for n in (20, 50))
    assert small < large
    assert small != set(aidp.select_by_random(rows, n=20, seed=4)["id"])


def test_random_samples_are_even():
    rows = Dataset.from_dict({"n": list(range(1_000))})
    hits = np.zeros(1_000)
    for seed in range(200):
        hits[aidp.select_by_random(rows, n=100, seed=seed)["n"][:]] += 1
    assert hits.mean() == 20
    assert hits.std() == pytest.approx((200 * 0.1 * 0.9) ** 0.5, rel=0.2)


def test_mix_meets_ratios_and_says_what_cannot_be():
    rows = Dataset.from_dict({"source": ["a"] * 90 + ["b"] * 10, "n": list(range(100))})
    mixed = aidp.mix(rows, ratios={"a": 0.5, "b": 0.5}, total=20)
    assert mixed["source"][:].count("a") == 10
    assert len(aidp.mix(rows, ratios={"a": 3.0, "b": 1.0})) == 40
    with pytest.raises(AidpError, match="at most 20 can"):
        aidp.mix(rows, ratios={"a": 1.0, "b": 1.0}, total=30)
    repeated = aidp.mix(rows, ratios={"a": 1.0, "b": 1.0}, total=50, repeat=True, report=True)
    assert repeated.dataset["source"][:].count("b") == 25
    assert repeated.account.rows_added == 15
    with pytest.raises(AidpError, match="no row is 'c'"):
        aidp.mix(rows, ratios={"c": 1.0})


def test_balance_takes_the_smallest_or_repeats_to_the_largest():
    rows = Dataset.from_dict({"label": [0] * 7 + [1] * 3})
    assert aidp.balance_classes(rows)["label"][:] == [0, 0, 0, 1, 1, 1]
    assert aidp.balance_classes(rows, mode="up")["label"][:].count(1) == 7
    with pytest.raises(AidpError, match="class '1' has 3 rows"):
        aidp.balance_classes(rows, per_class=5)


def test_conflicts_are_dropped_or_outvoted():
    rows = Dataset.from_dict(
        {
            "prompt": ["p", "p ", "p", "q", "q", "r"],
            "answer": ["yes", "yes", "no", "yes", "no", "no"],
            "n": list(range(6)),
        }
    )
    assert aidp.drop_conflicts(rows)["n"][:] == [5]
    voted = aidp.drop_conflicts(rows, keep="majority", report=True)
    assert voted.dataset["n"][:] == [0, 1, 5]
    assert voted.account.reasons == {"conflicting answers, tied": 2, "outvoted answer": 1}


def test_conflicts_of_numbers():
    rows = Dataset.from_dict({"prompt": ["p", "p", "q"], "label": [0, 1, 1]})
    assert aidp.drop_conflicts(rows, answer="label")["prompt"][:] == ["q"]


def test_word_and_token_lengths():
    rows = texts("one", "one two three", "one two three four five")
    assert len(aidp.filter_by_word_count(rows, least=2, most=4)) == 1
    outcome = aidp.filter_by_token_length(rows, most=4, report=True)
    assert len(outcome.dataset) == 2
    assert "estimated" in outcome.account.notes["tokens"]


def test_token_length_by_a_tokenizer_file(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.save(str(tmp_path / "tokenizer.json"))
    rows = texts("one", "one two three", "one two three four five")
    kept = aidp.filter_by_token_length(rows, least=2, most=3, tokenizer=str(tmp_path))
    assert kept["text"][:] == ["one two three"]
    with pytest.raises(AidpError, match=r"folder with a tokenizer\.json"):
        aidp.filter_by_token_length(rows, most=3, tokenizer=str(tmp_path / "absent"))


def test_list_answers_get_one_format():
    rows = Dataset.from_dict({"answer": ["a; b", "['b', 'a']", "- A\n- c", "b | b", "d"]})
    made = aidp.normalise_list(
        rows, separators=[";", ",", "|"], aliases={"a": "alpha"}, allowed=["alpha", "b", "c"]
    )
    assert made["answer"][:] == ["alpha, b", "b, alpha", "alpha, c", "b"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda rows: aidp.deduplicate_by_text_hash(rows, column="txet"), "did you mean 'text'"),
        (lambda rows: aidp.deduplicate_by_text_hash(rows, column="n"), "expected strings"),
        (lambda rows: aidp.deduplicate_by_text_hash(rows, column="gap"), "text is null"),
        (lambda rows: aidp.select_by_score(rows, column="text", k=1), "expected numbers"),
        (lambda rows: aidp.select_by_score(rows, column="n"), "expected exactly one"),
        (lambda rows: aidp.select_by_random(rows, fraction=1.5), "expected 0 to 1"),
        (lambda rows: aidp.select_by_random(rows, m=1), "no parameter 'm'"),
        (lambda rows: aidp.select_by_random(rows.select([]), n=1), "dataset is empty"),
        (lambda rows: aidp.select_by_random([1, 2], n=1), "expected a datasets.Dataset"),
        (lambda rows: aidp.filter_by_word_count(rows, least=3, most=1), "least <= most"),
        (lambda rows: aidp.normalise_list(rows, column="text", separators=[""]), "non-empty"),
        (lambda rows: aidp.select_by_random(rows, n=1, max_removed=0.1), "more than max_removed"),
    ],
)
def test_bad_input_gives_one_sentence(call, words):
    rows = Dataset.from_dict({"text": ["a", "b"], "n": [1, 2], "gap": ["a", None]})
    with pytest.raises(AidpError, match=words) as caught:
        call(rows)
    assert caught.value.operator
    assert "\n" not in str(caught.value)
