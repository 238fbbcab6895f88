"""The parts that operators stand on: parameters, effects, budget, journal, templates, keys."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pyarrow as pa
import pytest
from datasets import Dataset

import aidp
from aidp import AidpError
from aidp.clusters import cluster
from aidp.dedup import confirmed, first_of_hash, repeated
from aidp.effect import keeping_by_reason, sampling
from aidp.encode import unit
from aidp.errors import did_you_mean
from aidp.fingerprint import content_id, digest_json
from aidp.lineage import describe, save
from aidp.llm.budget import Budget
from aidp.llm.journal import Journal
from aidp.llm.options import LlmOptions
from aidp.llm.request import Reply, Request
from aidp.llm.templates import fill, template
from aidp.operators import OPERATORS, find_operator
from aidp.parameters import fits
from aidp.rows import Row, RowColumns
from aidp.sampling import allot, row_keys
from aidp.schema import numbers
from aidp.tables import read_table, take_rows, write_selection, write_table


@pytest.mark.parametrize(
    ("value", "kind", "good"),
    [
        (1, int, True),
        (True, int, False),
        (1, float, True),
        ("1", float, False),
        (None, int | None, True),
        (["a"], list[str], True),
        ([1], list[str], False),
        ("a", list[str], False),
        ("ab", str | list[str], True),
        ({"a": 1}, dict[str, float], True),
        ({"a": "b"}, dict[str, float], False),
    ],
)
def test_values_fit_their_annotations(value, kind, good):
    assert fits(value, kind) is good


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_every_operator_is_described_where_it_is_looked_for(name):
    operator = find_operator(name)
    assert operator is getattr(aidp, name)
    assert operator.version >= 1
    signature = inspect.signature(operator)
    assert {"dataset", "report", "max_removed"} <= set(signature.parameters)
    section = operator.__doc__.split("Args:")[1].split("Raises:")[0]
    for parameter in operator.parameters:
        assert f"{parameter.name}: " in section
    assert "Raises:" in operator.__doc__


def test_an_operator_gives_a_dataset_or_with_report_its_account():
    rows = Dataset.from_dict({"text": ["a", "a", "b"]})
    assert isinstance(aidp.deduplicate_by_text_hash(rows), Dataset)
    outcome = aidp.deduplicate_by_text_hash(rows, report=True)
    account = outcome.account.as_dict()
    assert (account["rows_in"], account["rows_out"], account["operator"]) == (
        3,
        2,
        "deduplicate_by_text_hash",
    )
    assert account["input_hash"] == content_id(rows.data.table)
    assert account["output_hash"] == content_id(outcome.dataset.data.table)
    json.dumps(account)


def test_fingerprints_follow_input_and_options():
    rows = Dataset.from_dict({"text": ["a", "b", "c"]})
    one, same, other = (aidp.select_by_random(rows, n=2, seed=seed) for seed in (1, 1, 2))
    assert one._fingerprint == same._fingerprint != other._fingerprint


def test_output_is_never_an_index_mapping():
    rows = Dataset.from_dict({"text": ["a", "b", "a"]}).select([2, 1])
    made = aidp.deduplicate_by_text_hash(rows)
    assert made._indices is None
    assert made["text"][:] == ["a", "b"]


def test_keys_and_ids_do_not_change_between_versions():
    assert row_keys(2, 0).tolist() == [16294208416658607535, 7960286522194355700]
    assert digest_json({"b": [1, None], "a": "\u00e4"}) == digest_json(
        {"a": "\u00e4", "b": [1, None]}
    )
    table = pa.table({"text": ["a", None], "n": [1, 2]})
    assert content_id(table) == "58d329223ad7841f37c84896f939409c"


def test_effects_count_what_left_and_what_came_again():
    effect = keeping_by_reason(np.array([0, 2, 1, 2]), ("a", "b"))
    assert effect.gone.counts() == {"a": 1, "b": 2}
    assert effect.keep.tolist() == [0]
    again = sampling(np.array([1, 1, 2]), 4, "left")
    assert (again.added, again.gone.rows.tolist()) == (1, [0, 3])


def test_rows_are_taken_in_any_order_and_written_in_theirs(tmp_path):
    table = pa.table({"n": list(range(10))})
    assert take_rows(table, np.array([3, 1, 1]))["n"].to_pylist() == [3, 1, 1]
    assert take_rows(table, np.arange(10)) is table
    write_selection(table, np.array([2, 5]), tmp_path / "a" / "some.arrow")
    assert read_table(tmp_path / "a" / "some.arrow")["n"].to_pylist() == [2, 5]
    write_table(table, tmp_path / "all.arrow")
    assert read_table(tmp_path / "all.arrow").equals(table)


def test_a_row_reads_only_what_is_asked_for():
    columns = RowColumns(pa.RecordBatch.from_pydict({"a": [1, 2], "b": ["x", "y"]}))
    row = Row(columns, 1)
    assert (row["b"], list(row), len(row), "c" in row) == ("y", ["a", "b"], 2, False)
    assert list(columns._lists) == ["b"]


def test_numbers_come_from_integers_booleans_and_nothing():
    table = pa.table({"i": [1, None], "b": [True, False], "n": [None, None]})
    assert numbers(table, "b").tolist() == [1.0, 0.0]
    assert np.isnan(numbers(table, "i")[1])
    assert np.isnan(numbers(table, "n")).all()


def test_allotments_give_ties_to_the_earlier():
    assert allot(1, [1.0, 1.0]) == [1, 0]
    assert allot(10, [0.1, 0.2, 0.7]) == [1, 2, 7]


def test_clusters_are_the_same_for_the_same_seed_and_have_no_empty_answer():
    vectors = unit(np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32))
    one, two = cluster(vectors, 5, seed=1), cluster(vectors, 5, seed=1)
    assert (one.nearest == two.nearest).all()
    assert one.centres.shape == (5, 8)
    assert cluster(vectors[:2], 5, seed=1).nearest.max() < 2


def test_suggestions():
    assert did_you_mean("colunm", ["column", "row"]) == "did you mean 'column'?"
    assert did_you_mean("zzz", ["column", "row"]) == "choose one of column, row"


def test_an_error_says_where():
    error = AidpError("is odd", operator="op", column="c", row=3)
    assert str(error) == "op, column 'c', row 3: is odd"
    assert error.within("other").operator == "op"


def request(text: str = "q", **params: int) -> Request:
    return Request("m", ({"role": "user", "content": text},), {"max_tokens": 10, **params})


def test_a_budget_reserves_the_most_and_charges_the_real():
    options = LlmOptions(
        "m", budget_tokens=40, input_usd_per_million=1e6, output_usd_per_million=2e6
    )
    budget = Budget(options)
    assert budget.reserve(request())
    assert budget.reserve(request())
    assert not budget.reserve(request())
    budget.settle(request(), Reply("x", prompt_tokens=3, completion_tokens=1))
    assert (budget.spent_tokens, budget.spent_usd) == (4, 5.0)
    assert budget.reserve(request())
    budget.settle(request(), None)
    assert budget.spent_tokens == 4


def test_the_key_of_a_request_tells_apart_what_matters():
    keys = {request().key, request("r").key, request(seed=1).key}
    keys |= {Request("n", request().turns, request().params).key}
    keys |= {Request("m", request().turns, request().params, sample=1).key}
    assert len(keys) == 5
    assert request().key == request().key


def test_a_journal_is_read_by_the_next_one(tmp_path):
    path = tmp_path / "deep" / "journal.jsonl"
    journal = Journal(path)
    assert not path.exists()
    journal.write(request(), Reply("\u6c34\nline", 3, 2))
    journal.close()
    found = Journal(path).find(request())
    assert (found.content, found.prompt_tokens, found.journalled) == ("\u6c34\nline", 3, True)
    assert Journal(path).find(request("other")) is None


@pytest.mark.parametrize("name", ["judge", "pairwise", "self_instruct", "evolve"])
def test_templates_say_that_material_is_no_instruction(name):
    text = template(name)
    assert "JSON" in text
    assert name == "self_instruct" or "never an instruction" in text


def test_filled_templates_keep_braces_of_values_and_of_json():
    assert fill('{a} {"k": 1} {b}', {"a": "{b}", "b": 2}) == '{b} {"k": 1} 2'


def test_saving_leaves_whole_files_only(tmp_path, monkeypatch):
    rows = Dataset.from_dict({"text": ["a", "a", "b"]})
    steps = [{"op": "deduplicate_by_text_hash"}]
    outcome = aidp.run({"sources": [{"id": "x"}], "steps": steps}, {"x": rows})
    assert "3 -> 2 (1 duplicate)" in describe(outcome.lineage)

    def full(*args, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr("aidp.lineage.write_parquet", full)
    with pytest.raises(OSError, match="no space"):
        save(outcome, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["data.jsonl"]


def test_rejects_of_a_type_that_changed_are_refused_in_words():
    rows = Dataset.from_dict({"prompt": ["a", "a", "b", "c"], "answer": ["1", "1", "2", "3"]})
    steps = [
        {"op": "deduplicate_by_text_hash", "params": {"column": "prompt"}},
        {"op": "convert_chat"},
        {"op": "select_by_random", "params": {"n": 1}},
    ]
    outcome = aidp.run({"sources": [{"id": "x"}], "steps": steps}, {"x": rows})
    assert len(outcome.rejects) == 3
    assert outcome.rejects["messages"][0] is None
    assert outcome.rejects["prompt"][:] == ["a", None, None]


def test_texts_decide_where_their_hashes_are_equal():
    import polars as pl

    hashes = np.array([7, 3, 7, 3, 7, 1, 7], np.uint64)
    assert repeated(hashes).tolist() == [0, 1, 2, 3, 4, 6]
    suspects = pl.Series(["a", "x", "a", "x", "b", "b"])
    for last, found in ((False, [0, 1, 0, 1, 0, 0]), (True, [5, 3, 5, 3, 5, 5])):
        assert first_of_hash(hashes[[0, 1, 2, 3, 4, 6]], last=last).tolist() == found
    one, other = first_of_hash(hashes[[0, 1, 2, 3, 4, 6]]), np.array([0, 1, 0, 1, 4, 4])
    assert confirmed(one, [suspects], False).tolist() == other.tolist()


def test_a_missing_score_never_stands_before_the_worst_one():
    rows = Dataset.from_dict({"score": [None, float("-inf"), 1.0], "n": [0, 1, 2]})
    assert aidp.select_by_score(rows, k=2, nan="drop")["n"][:] == [2, 1]
    assert aidp.select_by_score(rows, k=3, nan="drop", order="row")["n"][:] == [1, 2]
