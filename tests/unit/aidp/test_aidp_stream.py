"""Streams: the rows and accounts of a plain run, however the rows are cut into batches."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from datasets import Dataset, IterableDataset
from hypothesis import given, settings
from hypothesis import strategies as st

import aidp
from aidp import AidpError, dedup, scratch, spool, stage_choice, stage_equal
from aidp.edge import edge_of, ordered

STEPS = [
    {"op": "deduplicate_by_text_hash", "params": {"column": ["prompt", "answer"]}},
    {"op": "select_by_filter", "params": {"where": "source <> 'c'"}},
    {"op": "filter_by_word_count", "params": {"column": "prompt", "least": 8}},
    {"op": "decontaminate", "params": {"column": "prompt", "against": "validation"}},
    {"op": "deduplicate_by_minhash", "params": {"column": "prompt", "threshold": 0.7}},
    {"op": "score_text_quality", "params": {"column": "prompt"}},
    {"op": "select_by_score", "params": {"column": "quality", "fraction": 0.9}},
    {"op": "balance_classes", "params": {"mode": "up"}},
    {"op": "mix", "params": {"ratios": {"a": 0.7, "b": 0.3}}},
    {"op": "select_by_random", "params": {"n": 300}},
    {"op": "convert_chat", "params": {"system": "Answer."}},
]
RECIPE = {"sources": [{"id": "train", "max_rows": 1_600}], "steps": STEPS, "max_samples": 250}
words = st.text(alphabet="ab \u00e9\u6c34\n", max_size=4)
scores = st.none() | st.sampled_from([0.0, -0.0, 1.5, -2.0, float("inf"), float("-inf")])
rows_of = st.lists(
    st.tuples(words, st.sampled_from(["a", "b", "c", None]), scores), min_size=1, max_size=60
)
quick = settings(max_examples=15, deadline=None)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Pieces so small that some rows are cut into many of each."""
    monkeypatch.setattr(scratch, "ROWS_IN_PART", 20)
    monkeypatch.setattr(scratch, "ROWS_SCANNED", 77)
    monkeypatch.setattr(stage_equal, "ROWS_COMPARED", 13)
    monkeypatch.setattr(stage_choice, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(spool, "BATCH_ROWS", 60)


def cut(rows: Dataset, size: int) -> list[pa.Table]:
    return [rows.data.table.slice(start, size) for start in range(0, len(rows), size)]


def told(account: dict) -> dict:
    """An account of a run as far as a stream gives it."""
    execution = ("input_hash", "output_hash", "seconds", "resumed")
    return {key: value for key, value in account.items() if key not in execution}


@pytest.mark.parametrize("size", [1, 117, 10_000])
def test_a_stream_gives_the_rows_and_accounts_of_a_run(chat_rows, tmp_path, size, monkeypatch):
    monkeypatch.setattr(scratch, "ROWS_IN_PART", 600)
    train = chat_rows(1_500)
    doubled = Dataset.from_list(train.to_list() + train.select(range(0, 500, 2)).to_list())
    sources = {"train": doubled, "validation": train.select(range(40))}
    whole = aidp.run(RECIPE, sources)
    made, lineage = aidp.run_stream(RECIPE, cut(doubled, size), tmp_path / "out.arrow", sources)
    assert made.to_list() == whole.dataset.to_list()
    assert lineage["steps"] == [told(account) for account in whole.lineage["steps"]]
    for name in ("recipe_digest", "output_hash", "rows", "rows_over_max_samples"):
        assert lineage[name] == whole.lineage[name]
    assert [path.name for path in tmp_path.iterdir()] == ["out.arrow"]


def both_ways(rows: Dataset, step: dict, size: int) -> tuple[object, object]:
    """What a run makes of `rows` and what a stream does: rows and account, or the error."""
    recipe = {"sources": [{"id": "rows"}], "steps": [step]}
    answers: list[object] = []
    try:
        outcome = aidp.run(recipe, {"rows": rows})
        answers.append((outcome.dataset.to_list(), told(outcome.lineage["steps"][0])))
    except AidpError as error:
        answers.append("nothing" if "left none" in str(error) else str(error))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.arrow"
        try:
            made, lineage = aidp.run_stream(recipe, cut(rows, size), out)
            answers.append((made.to_list(), lineage["steps"][0]))
        except AidpError as error:
            answers.append("nothing" if "left no row" in str(error) else str(error))
            assert list(Path(folder).iterdir()) == []
    return answers[0], answers[1]


def dataset(values: list[tuple]) -> Dataset:
    columns = zip(*values, strict=True)
    names, kinds = ("text", "source", "score"), (pa.string(), pa.string(), pa.float64())
    arrays = [pa.array(list(c), kind) for c, kind in zip(columns, kinds, strict=True)]
    return Dataset(pa.table([*arrays, pa.array(range(len(values)))], [*names, "n"]))


@quick
@given(
    rows_of,
    st.sampled_from(["none", "space", "loose"]),
    st.sampled_from(["first", "last"]),
    st.integers(1, 70),
)
def test_exact_duplicates(values, normalise, keep, size):
    params = {"column": "text", "normalise": normalise, "keep": keep}
    step = {"op": "deduplicate_by_text_hash", "params": params}
    here, there = both_ways(dataset(values), step, size)
    assert here == there


@quick
@given(rows_of, st.sampled_from(["auto", "words", "chars"]), st.integers(1, 3), st.integers(1, 70))
def test_near_duplicates(values, grams, n, size):
    params = {"column": "text", "grams": grams, "n": n, "threshold": 0.5}
    here, there = both_ways(
        dataset(values), {"op": "deduplicate_by_minhash", "params": params}, size
    )
    assert here == there


@quick
@given(
    rows_of,
    st.sampled_from([{"k": 0}, {"k": 5}, {"k": 50}, {"fraction": 0.3}, {"threshold": 0.0}]),
    st.booleans(),
    st.sampled_from(["score", "row"]),
    st.sampled_from(["error", "drop"]),
    st.integers(1, 70),
)
def test_the_best_by_score(values, aim, highest, order, nan, size):
    params = {**aim, "highest": highest, "order": order, "nan": nan}
    here, there = both_ways(dataset(values), {"op": "select_by_score", "params": params}, size)
    assert here == there


@quick
@given(
    rows_of, st.sampled_from([{"n": 7}, {"fraction": 0.5}]), st.integers(0, 3), st.integers(1, 70)
)
def test_random_rows(values, aim, seed, size):
    step = {"op": "select_by_random", "params": {**aim, "seed": seed}}
    here, there = both_ways(dataset(values), step, size)
    assert here == there


@quick
@given(
    rows_of,
    st.sampled_from([None, 5, 90]),
    st.booleans(),
    st.dictionaries(st.sampled_from(["a", "b", "c", "null"]), st.floats(0, 3), min_size=1),
    st.integers(1, 70),
)
def test_mixes(values, total, repeat, ratios, size):
    params = {"ratios": ratios, "total": total, "repeat": repeat, "seed": 1}
    here, there = both_ways(dataset(values), {"op": "mix", "params": params}, size)
    assert here == there


@quick
@given(rows_of, st.sampled_from(["down", "up"]), st.sampled_from([None, 3]), st.integers(1, 70))
def test_balanced_classes(values, mode, per_class, size):
    params = {"column": "source", "mode": mode, "per_class": per_class}
    here, there = both_ways(dataset(values), {"op": "balance_classes", "params": params}, size)
    assert here == there


@quick
@given(rows_of, st.lists(words, min_size=1, max_size=5), st.integers(1, 70))
def test_overlap_with_an_evaluation_set(values, evaluation, size):
    rows, sealed = dataset(values), Dataset.from_dict({"text": evaluation})
    recipe = {
        "sources": [{"id": "rows"}],
        "steps": [{"op": "decontaminate", "params": {"against": "sealed"}}],
    }
    whole = aidp.decontaminate(rows, against=sealed, report=True)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.arrow"
        if whole.account.rows_out == 0:
            with pytest.raises(AidpError, match="left no row"):
                aidp.run_stream(recipe, cut(rows, size), out, {"sealed": sealed})
            return
        made, lineage = aidp.run_stream(recipe, cut(rows, size), out, {"sealed": sealed})
        assert made.to_list() == whole.dataset.to_list()
        assert lineage["steps"][0]["reasons"] == whole.account.reasons


def test_texts_decide_where_hashes_collide_on_disk_too(monkeypatch):
    rows = dataset([(text, None, None) for text in "abcabbcaac" * 30])

    def colliding(series):
        return series[0].hash().to_numpy() & np.uint64(1)

    for module in (dedup, stage_equal):
        monkeypatch.setattr(module, "combined_hash", colliding)
    for keep in ("first", "last"):
        step = {"op": "deduplicate_by_text_hash", "params": {"keep": keep}}
        here, there = both_ways(rows, step, 37)
        assert here == there
        assert here[1]["rows_out"] == 3


@quick
@given(
    st.lists(st.tuples(st.integers(-1, 3), st.floats(allow_nan=False)), max_size=80),
    st.lists(st.integers(0, 90), min_size=4, max_size=4),
)
def test_an_edge_chooses_what_a_sort_would(values, wanted):
    kinds = np.array([kind for kind, _ in values], np.int32)
    keys = ordered(np.array([value for _, value in values], np.float64))
    sizes = np.bincount(kinds[kinds >= 0], minlength=4)
    edge = edge_of(kinds, keys, np.array(wanted), sizes)
    spans = itertools.pairwise([*range(0, len(kinds), 9), len(kinds)])
    chosen = [edge.chosen(kinds[a:b], keys[a:b]) for a, b in spans]
    due = np.zeros(len(kinds), np.bool_)
    for kind in range(4):
        ranked = sorted((value, i) for i, (own, value) in enumerate(values) if own == kind)
        due[[i for _, i in ranked[: wanted[kind]]]] = True
    assert np.array_equal(np.concatenate([*chosen, np.zeros(0, np.bool_)]), due)


def test_a_stream_takes_an_iterable_dataset(chat_rows, tmp_path):
    records = chat_rows(50).to_list()
    endless = IterableDataset.from_generator(lambda: iter(records))
    recipe = {"sources": [{"id": "a"}], "steps": STEPS[1:2]}
    made, _ = aidp.run_stream(recipe, endless.iter(batch_size=7), tmp_path / "out.arrow")
    assert made["id"][:] == [one["id"] for one in records if one["source"] != "c"]


FILTER = {"op": "select_by_filter", "params": {"where": "label > 3"}}


@pytest.mark.parametrize(
    ("changes", "steps", "words"),
    [
        ({}, [{"op": "drop_conflicts"}], "drop_conflicts: needs all rows .* use aidp.run"),
        ({"sources": [{"id": "a", "weight": 1.0}]}, [], "without weight"),
        ({}, [STEPS[3]], "decontaminate: .* names the source 'validation', which was not given"),
        ({}, [FILTER], "left no row"),
        ({}, [{**FILTER, "max_removed": 0.5}], "select_by_filter: would remove 130 of 130 rows"),
        ({}, [{"op": "deduplicate_by_text_hash", "params": {}}], "there is no column 'text'"),
        ({}, [{"op": "mix", "params": {"ratios": {"z": 1.0}}}], "mix, column 'source': no row is"),
    ],
)
def test_what_a_stream_refuses(chat_rows, tmp_path, changes, steps, words):
    recipe = {"sources": [{"id": "a"}], "steps": steps, **changes}
    with pytest.raises(AidpError, match=words):
        aidp.run_stream(recipe, cut(chat_rows(130), 50), tmp_path / "out.arrow")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "step",
    [
        {"op": "select_by_score", "params": {"column": "score", "k": 3}},
        {"op": "deduplicate_by_text_hash", "params": {}},
        {"op": "deduplicate_by_minhash", "params": {}},
        {"op": "convert_chat", "params": {"source": "sharegpt", "target": "messages"}},
    ],
)
def test_an_error_counts_the_row_over_all_batches(tmp_path, step):
    turns = [{"from": "human", "value": "x"}]
    records = [{"text": "t", "score": 1.0, "conversations": turns} for _ in range(300)]
    records[217] = {"text": None, "score": None, "conversations": [{"from": "nobody", "value": ""}]}
    rows = Dataset.from_list(records)
    recipe = {"sources": [{"id": "a"}], "steps": [step]}
    with pytest.raises(AidpError) as caught:
        aidp.run_stream(recipe, cut(rows, 50), tmp_path / "out.arrow")
    assert (caught.value.operator, caught.value.row) == (step["op"], 217)


def test_a_batch_with_other_columns_leaves_no_file(tmp_path):
    batches = [pa.table({"a": [1]}), pa.table({"b": [1]})]
    with pytest.raises(AidpError, match="other columns"):
        aidp.run_stream({"sources": [{"id": "a"}]}, batches, tmp_path / "out.arrow")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_stream_left_does_not_stand_in_the_way(chat_rows, tmp_path):
    left = tmp_path / "out.arrow.spool" / "0"
    left.mkdir(parents=True)
    (left / "rows.arrow").write_bytes(b"half a batch")
    (tmp_path / "out.arrow.partial").write_bytes(b"half a batch")
    recipe = {"sources": [{"id": "a"}], "steps": [STEPS[0]]}
    made, _ = aidp.run_stream(recipe, cut(chat_rows(90), 50), tmp_path / "out.arrow")
    assert len(made) == 90
    assert [path.name for path in tmp_path.iterdir()] == ["out.arrow"]
