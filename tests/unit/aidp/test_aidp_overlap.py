"""Decontamination: what must leave and what must stay."""

from __future__ import annotations

import random

import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

import aidp
from aidp import AidpError

WORDS = [f"w{i}" for i in range(500)]


def prose(draw: random.Random, n: int) -> str:
    return " ".join(draw.choices(WORDS, k=n))


def texts(values: list[str]) -> Dataset:
    return Dataset.from_dict({"text": values})


def test_equal_after_loose_normalisation_leaves():
    rows, sealed = texts(["What is 2+2?", "other"]), texts(["what is  2 2"])
    outcome = aidp.decontaminate(rows, against=sealed, report=True)
    assert outcome.dataset["text"][:] == ["other"]
    assert outcome.account.reasons == {"equal to an evaluation row": 1}


def test_an_evaluation_row_inside_a_longer_row_leaves():
    draw = random.Random(1)
    sealed = prose(draw, 30)
    rows = texts([f"{prose(draw, 40)} {sealed} {prose(draw, 40)}", prose(draw, 80)])
    assert len(aidp.decontaminate(rows, against=texts([sealed]))) == 1


def test_a_piece_of_a_long_evaluation_row_leaves():
    draw = random.Random(2)
    words = prose(draw, 200).split()
    rows = texts([" ".join(words[50:80]), prose(draw, 30)])
    assert len(aidp.decontaminate(rows, against=texts([" ".join(words)]))) == 1


def test_one_shared_gram_is_not_enough():
    draw = random.Random(3)
    phrase = prose(draw, 13)
    row, sealed = f"{prose(draw, 60)} {phrase}", f"{phrase} {prose(draw, 60)}"
    assert len(aidp.decontaminate(texts([row]), against=texts([sealed]))) == 1


def test_the_template_of_the_prompts_is_ignored():
    draw = random.Random(4)
    template = prose(draw, 40)
    rows = texts([f"{template} {prose(draw, 20)}" for _ in range(20)])
    sealed = texts([f"{template} {prose(draw, 20)}" for _ in range(20)])
    assert len(aidp.decontaminate(rows, against=sealed)) == 20


def test_a_short_row_inside_a_longer_one_leaves_and_a_phrase_stays():
    sealed = texts(["a gorgeous, witty, seductive movie"])
    rows = texts(["He called it A gorgeous, witty, seductive movie, twice.", "gorgeous movie"])
    outcome = aidp.decontaminate(rows, against=sealed, report=True)
    assert outcome.dataset["text"][:] == ["gorgeous movie"]
    assert outcome.account.reasons == {"shares character grams": 1}


def test_molecules_are_compared_by_canonical_smiles():
    pytest.importorskip("rdkit")
    rows = texts(["OCC", "CCN"])
    kept = aidp.decontaminate(rows, against=texts(["CCO"]), method="smiles")
    assert kept["text"][:] == ["CCN"]


def test_other_columns_and_threads_give_the_same():
    draw = random.Random(5)
    sealed = [prose(draw, 20) for _ in range(30)]
    rows = Dataset.from_dict(
        {"prompt": [prose(draw, 20) for _ in range(100)] + sealed[:7], "answer": [""] * 107}
    )
    against = Dataset.from_dict({"question": sealed})
    one, two = (
        aidp.decontaminate(
            rows, column="prompt", against=against, against_column="question", num_proc=n
        )
        for n in (1, 2)
    )
    assert len(one) == 100
    assert one["prompt"][:] == two["prompt"][:]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"overlap": 0.0}, "overlap is 0.0"),
        ({"n": 5}, "with method 'auto'"),
        ({"against_column": "nothing"}, "no column 'nothing'"),
        ({"method": "fuzzy"}, "'fuzzy', expected"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(AidpError, match=words):
        aidp.decontaminate(texts(["a"]), against=texts(["b"]), **options)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(0, 40), st.integers(0, 40))
def test_a_planted_overlap_never_stays(seed, length, before, after):
    draw = random.Random(seed)
    sealed = [prose(draw, length), prose(draw, 30)]
    planted = f"{prose(draw, before)} {sealed[0]} {prose(draw, after)}".strip()
    clean = " ".join(f"clean{i}" for i in range(50))
    kept = aidp.decontaminate(texts([clean, planted]), against=texts(sealed))["text"][:]
    if length >= 4:
        assert kept == [clean]
    else:
        assert clean in kept


def test_chunks_of_several_scripts_give_what_one_chunk_gives():
    import pyarrow as pa

    draw = random.Random(6)
    sealed = [prose(draw, 20), "\u6c34\u662f\u751f\u547d\u4e4b\u6e90\u6240\u4ee5\u8981\u73cd\u60dc"]
    values = [prose(draw, 20) for _ in range(30)]
    values[4], values[11], values[19] = sealed[0].upper(), sealed[1], f"\u201c{sealed[0]}\u201d"
    whole = pa.table({"text": values})
    parts = pa.concat_tables([whole.slice(i, 7) for i in range(0, 30, 7)])
    assert parts.column("text").num_chunks == 5
    kept = [
        aidp.decontaminate(Dataset(table), against=texts(sealed))["text"][:]
        for table in (whole, parts)
    ]
    assert kept[0] == kept[1]
    assert len(kept[0]) == 27
