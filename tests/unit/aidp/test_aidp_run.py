"""aidp.run: recipes as data, lineage, rejects, resume, sameness."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys

import pytest
from datasets import Dataset

import aidp

RECIPE = {
    "sources": [{"id": "train", "weight": None, "max_rows": None}],
    "steps": [
        {"op": "deduplicate_by_text_hash", "params": {"column": ["prompt", "answer"]}},
        {"op": "select_by_filter", "params": {"where": "length(prompt) >= 30 AND source <> 'c'"}},
        {"op": "decontaminate", "params": {"column": "prompt", "against": "validation"}},
        {"op": "balance_classes", "params": {"column": "answer"}},
    ],
    "max_samples": 150,
}


@pytest.fixture
def sources(chat_rows):
    train = chat_rows(600)
    doubled = Dataset.from_list(train.to_list() + train.select(range(50)).to_list())
    return {"train": doubled, "validation": train.select(range(20))}


def test_run_accounts_for_every_row(sources):
    outcome = aidp.run(RECIPE, sources)
    rows = 650
    for account in outcome.lineage["steps"]:
        assert account["rows_in"] == rows
        rows -= sum(account["reasons"].values())
        assert account["rows_out"] == rows
    assert outcome.lineage["steps"][0]["reasons"] == {"duplicate": 50}
    assert len(outcome.dataset) == 150
    assert len(outcome.dataset) + len(outcome.rejects) == 650
    json.dumps(outcome.lineage)


def test_hashes_link_one_step_to_the_next(sources):
    lineage = aidp.run(RECIPE, sources).lineage
    steps = lineage["steps"]
    for before, after in itertools.pairwise(steps):
        assert before["output_hash"] == after["input_hash"]
    assert lineage["recipe_digest"] == aidp.recipe_digest(RECIPE)


def test_rejects_carry_reason_step_and_kept_row(sources):
    outcome = aidp.run(RECIPE, sources)
    first = outcome.rejects[0]
    assert (first["_step"], first["_operator"]) == (0, "deduplicate_by_text_hash")
    assert (first["_reason"], first["_row"], first["_kept_row"]) == ("duplicate", 600, 0)
    assert first["prompt"] == sources["train"][0]["prompt"]
    last = outcome.rejects[len(outcome.rejects) - 1]
    assert last["_reason"] == "over max_samples"
    assert last["_kept_row"] is None


def test_features_of_the_source_survive(sources):
    from datasets import ClassLabel

    train = sources["train"].cast_column("label", ClassLabel(names=["bad", "good"]))
    outcome = aidp.run(RECIPE, {**sources, "train": train})
    assert outcome.dataset.features["label"].names == ["bad", "good"]


def test_same_rows_with_two_processes_a_workspace_and_after_resume(sources, tmp_path):
    plain = aidp.run(RECIPE, sources)
    kept = aidp.run(RECIPE, sources, workspace=tmp_path, num_proc=2)
    resumed = aidp.run(RECIPE, sources, workspace=tmp_path)
    digests = {one.lineage["output_hash"] for one in (plain, kept, resumed)}
    assert len(digests) == 1
    assert not any(step["resumed"] for step in kept.lineage["steps"])
    assert all(step["resumed"] for step in resumed.lineage["steps"])
    assert resumed.rejects.to_list() == plain.rejects.to_list()


def test_resume_runs_only_what_changed(sources, tmp_path):
    aidp.run(RECIPE, sources, workspace=tmp_path)
    changed = {
        **RECIPE,
        "steps": [*RECIPE["steps"][:3], {"op": "select_by_random", "params": {"n": 9}}],
    }
    steps = aidp.run(changed, sources, workspace=tmp_path).lineage["steps"]
    assert [step["resumed"] for step in steps] == [True, True, True, False]


def test_a_step_without_its_account_is_run_again(sources, tmp_path):
    first = aidp.run(RECIPE, sources, workspace=tmp_path)
    next(tmp_path.glob("*.json")).unlink()
    again = aidp.run(RECIPE, sources, workspace=tmp_path)
    assert sum(step["resumed"] for step in again.lineage["steps"]) == 3
    assert again.lineage["output_hash"] == first.lineage["output_hash"]


def test_a_refused_step_leaves_nothing_of_it_in_the_workspace(sources, tmp_path):
    recipe = {
        **RECIPE,
        "steps": [{"op": "select_by_score", "params": {"column": "prompt", "k": 2}}],
    }
    with pytest.raises(aidp.AidpError):
        aidp.run(recipe, sources, workspace=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_weights_are_met_exactly(chat_rows):
    recipe = {"sources": [{"id": "a", "weight": 0.75}, {"id": "b", "weight": 0.25}]}
    outcome = aidp.run(recipe, {"a": chat_rows(300, 1), "b": chat_rows(200, 2)})
    assert [one["rows_used"] for one in outcome.lineage["sources"]] == [300, 100]
    assert len(outcome.dataset) == 400


def test_max_rows_is_a_nested_sample_in_row_order(chat_rows):
    rows = chat_rows(100)

    def ids(n: int) -> list[str]:
        recipe = {"sources": [{"id": "a", "max_rows": n}]}
        return aidp.run(recipe, {"a": rows}).dataset["id"][:]

    assert set(ids(10)) < set(ids(30))
    assert ids(30) == sorted(ids(30), key=lambda name: int(name[1:]))


def test_a_column_that_one_source_lacks_is_null_there(chat_rows):
    rows = chat_rows(3)
    bare = rows.remove_columns("label")
    made = aidp.run({"sources": [{"id": "a"}, {"id": "b"}]}, {"a": rows, "b": bare}).dataset
    assert made["label"][3:] == [None] * 3


def test_a_selected_dataset_is_read_through_its_selection(chat_rows):
    rows = chat_rows(50)
    made = aidp.run({"sources": [{"id": "a"}]}, {"a": rows.select([7, 3])}).dataset
    assert made["id"][:] == ["r7", "r3"]


def test_digest_ignores_how_and_minds_what():
    def digest(**params):
        step = {"op": "deduplicate_by_text_hash", "params": params}
        return aidp.recipe_digest({"sources": [{"id": "a"}], "steps": [step]})

    assert digest() == digest(column="text") == digest(num_proc=2)
    assert digest() != digest(column="prompt")


BAD = [
    ({}, "no 'sources'"),
    ({"sources": []}, "no sources"),
    ({"sources": [{"id": "a"}, {"id": "a"}]}, "twice"),
    ({"sources": [{"id": "a", "weight": 1.0}, {"id": "b"}]}, "'b' has no weight"),
    ({"sources": [{"id": "a", "weight": -1.0}]}, "weight -1.0"),
    ({"sources": [{"id": "a", "max_rows": 0}]}, "max_rows 0"),
    ({"sources": [{"id": "a"}], "max_samples": 0}, "max_samples is 0"),
    ({"sources": [{"id": "a"}], "stpes": []}, "did you mean 'steps'"),
    ({"sources": [{"id": 3}]}, "id 3"),
    ({"sources": [{"id": "a"}], "steps": [{"op": "dedupe_by_text_hash"}]}, "did you mean"),
    ({"sources": [{"id": "a"}], "steps": [{"params": {}}]}, "no 'op'"),
]


@pytest.mark.parametrize(("recipe", "words"), BAD)
def test_a_bad_recipe_is_refused_in_one_sentence(recipe, words):
    with pytest.raises(aidp.AidpError, match=words) as caught:
        aidp.validate(recipe)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"op": "select_by_random", "params": {"m": 3}}, "no parameter 'm'"),
        ({"op": "select_by_random", "params": {"n": "3"}}, "'n' is '3', expected int"),
        ({"op": "mix", "params": {}}, "needs the parameter 'ratios'"),
        ({"op": "select_by_filter", "params": {}, "seed": 3}, "takes no seed"),
        ({"op": "select_by_random", "params": {"n": float("nan")}}, "no JSON data"),
        ({"op": "select_by_random", "params": {"n": 3}, "max_removed": 2.0}, "max_removed 2.0"),
    ],
)
def test_a_bad_call_names_its_operator(step, words):
    with pytest.raises(aidp.AidpError, match=words) as caught:
        aidp.validate({"sources": [{"id": "a"}], "steps": [step]})
    assert caught.value.operator == step["op"]


def test_missing_sources_are_named(sources):
    with pytest.raises(aidp.AidpError, match="'train' was not given"):
        aidp.run(RECIPE, {})
    with pytest.raises(aidp.AidpError, match="'validation', which was not given") as caught:
        aidp.run(RECIPE, {"train": sources["train"]})
    assert caught.value.operator == "decontaminate"


def test_a_step_that_leaves_nothing_is_refused(chat_rows):
    steps = [{"op": "select_by_filter", "params": {"where": "label > 5"}}]
    with pytest.raises(aidp.AidpError, match="left none of 10 rows"):
        aidp.run({"sources": [{"id": "a"}], "steps": steps}, {"a": chat_rows(10)})


def test_max_removed_guards_a_step(sources):
    steps = [{"op": "select_by_filter", "params": {"where": "source = 'a'"}, "max_removed": 0.1}]
    with pytest.raises(aidp.AidpError, match=r"more than max_removed=0\.1"):
        aidp.run({"sources": [{"id": "train"}], "steps": steps}, sources)


def test_sources_that_disagree_on_a_type_are_refused(chat_rows):
    numbers = Dataset.from_dict({"answer": [1]})
    with pytest.raises(aidp.AidpError, match="cast one") as caught:
        aidp.run({"sources": [{"id": "a"}, {"id": "b"}]}, {"a": chat_rows(2), "b": numbers})
    assert caught.value.column == "answer"


def test_progress_is_told_after_each_step(sources):
    told = []
    aidp.run(RECIPE, sources, progress=lambda done, all_, account: told.append((done, all_)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_importing_aidp_loads_nothing_heavy():
    code = (
        "import aidp, sys;"
        "heavy = ('numpy', 'pyarrow', 'polars', 'datasets', 'numba');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_public_name_is_there():
    for name in aidp.__all__:
        assert getattr(aidp, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = aidp.nothing


def test_two_processes_with_other_hash_seeds_write_the_same_content(tmp_path, sources):
    (tmp_path / "recipe.json").write_text(json.dumps(RECIPE))
    command = [sys.executable, "-m", "aidp", "run", "recipe.json", "--out", "made"]
    for name, rows in sources.items():
        rows.to_json(tmp_path / f"{name}.jsonl")
        command += ["--source", f"{name}={name}.jsonl"]
    hashes = set()
    for seed, processes in (("1", "1"), ("2", "2")):
        done = subprocess.run(
            [*command, "--num-proc", processes, "--format", "json"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        hashes.add(json.loads(done.stdout)["output_hash"])
        assert "1/4 deduplicate_by_text_hash: 650 -> 600 rows" in done.stderr
    assert len(hashes) == 1
