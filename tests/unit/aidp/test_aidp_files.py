"""Files: loading, the command line, what a run leaves on disk, content ids."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys

import pyarrow as pa
import pytest
from datasets import Dataset, load_from_disk

import aidp
from aidp import AidpError
from aidp.__main__ import main
from aidp.fingerprint import content_id

RECORDS = [{"id": 1, "text": "a"}, {"id": 2, "text": "b\u00e4"}, {"id": 3, "text": "a"}]


def write(path, text: str):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "tsv", "parquet", "arrow"])
def test_every_format_gives_the_same_rows(tmp_path, ending):
    path = tmp_path / f"rows.{ending}"
    if ending == "jsonl":
        write(path, "".join(json.dumps(one) + "\n" for one in RECORDS))
    elif ending == "json":
        write(path, json.dumps(RECORDS))
    elif ending in ("csv", "tsv"):
        comma = "," if ending == "csv" else "\t"
        lines = [f"{one['id']}{comma}{one['text']}" for one in RECORDS]
        write(path, "\n".join([f"id{comma}text", *lines]) + "\n")
    elif ending == "parquet":
        Dataset.from_list(RECORDS).to_parquet(str(path))
    else:
        from aidp.tables import write_table

        write_table(pa.Table.from_pylist(RECORDS), path)
    assert aidp.load_local_dataset(path).to_list() == RECORDS


def test_gzip_text_and_saved_folders(tmp_path):
    with gzip.open(tmp_path / "rows.jsonl.gz", "wt", encoding="utf-8") as sink:
        sink.write(json.dumps(RECORDS[0]))
    assert len(aidp.load_local_dataset(tmp_path / "rows.jsonl.gz")) == 1
    lines = aidp.load_local_dataset(write(tmp_path / "rows.txt", "one\ntwo\n"))
    assert lines["text"][:] == ["one", "two"]
    Dataset.from_list(RECORDS).save_to_disk(tmp_path / "saved")
    assert (
        aidp.load_local_dataset(
            tmp_path / "saved",
        ).to_list()
        == RECORDS
    )
    assert len(aidp.load_local_dataset(tmp_path / "rows.txt", max_rows=1)) == 1


def test_keys_that_come_later_are_columns_and_dates_stay_text(tmp_path):
    path = write(tmp_path / "rows.jsonl", '{"a": "2020-01-01"}\n\n{"b": 2}\n')
    assert aidp.load_local_dataset(path).to_list() == [
        {"a": "2020-01-01", "b": None},
        {"a": None, "b": 2},
    ]


@pytest.mark.parametrize(
    ("name", "text", "words", "row"),
    [
        ("a.jsonl", '{"a": 1}\n{"a": \n', "no JSON", 1),
        ("a.jsonl", '{"a": 1}\n[2]\n', "expected a mapping", 1),
        ("a.jsonl", '{"a": 1}\n{"a": "x"}\n', "use one type", 1),
        ("a.json", '{"a": 1}', "expected a list", None),
        ("a.json", "[1", "no JSON", None),
        ("a.jsonl", "", "no rows", None),
        ("a.xlsx", "x", "of format 'xlsx'", None),
    ],
)
def test_broken_files_are_explained(tmp_path, name, text, words, row):
    with pytest.raises(AidpError, match=words) as caught:
        aidp.load_local_dataset(write(tmp_path / name, text))
    assert caught.value.row == row


def test_other_encodings_and_missing_files(tmp_path):
    (tmp_path / "latin.txt").write_bytes("stra\u00dfe".encode("latin-1"))
    with pytest.raises(AidpError, match="no valid txt"):
        aidp.load_local_dataset(tmp_path / "latin.txt")
    with pytest.raises(AidpError, match="there is no file"):
        aidp.load_local_dataset(tmp_path / "absent.jsonl")


def test_a_remote_dataset_that_cannot_be_had(monkeypatch):
    import datasets

    def offline(*args, **kwargs):
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(AidpError, match="no network"):
        aidp.load_remote_dataset("owner/name")


@pytest.fixture
def recipe(tmp_path):
    write(tmp_path / "train.jsonl", "".join(json.dumps(one) + "\n" for one in RECORDS))
    steps = [{"op": "deduplicate_by_text_hash", "params": {"column": "text"}}]
    return write(
        tmp_path / "recipe.json", json.dumps({"sources": [{"id": "train"}], "steps": steps})
    )


def test_the_command_line_runs_a_recipe(tmp_path, recipe, capsys):
    source = f"train={tmp_path / 'train.jsonl'}"
    out = tmp_path / "out"
    assert main(["run", str(recipe), "--source", source, "--out", str(out)]) == 0
    assert "0 deduplicate_by_text_hash: 3 -> 2 (1 duplicate)" in capsys.readouterr().out
    lines = (out / "data.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == RECORDS[:2]
    lineage = json.loads((out / "lineage.json").read_text())
    assert lineage["rows"] == 2
    assert Dataset.from_parquet(str(out / "rejects.parquet"), cache_dir=str(tmp_path))[0]["id"] == 3
    assert sorted(path.name for path in out.iterdir()) == [
        "data.jsonl",
        "lineage.json",
        "rejects.parquet",
    ]
    assert (
        main(["run", str(recipe), "--source", source, "--out", str(out), "--format", "json"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["rows"] == 2


@pytest.mark.parametrize(
    ("source", "words"),
    [("train", "expected ID=FILE"), ("train=absent.jsonl", "there is no file"), ("x=", "ID=FILE")],
)
def test_the_command_line_explains_mistakes(tmp_path, recipe, capsys, source, words):
    assert main(["run", str(recipe), "--source", source, "--out", str(tmp_path / "o")]) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.startswith("error: ")
    assert captured.out == ""
    assert not (tmp_path / "o").exists()


def test_a_recipe_file_that_is_not_one(tmp_path, capsys):
    assert main(["run", str(tmp_path / "none.json"), "--out", str(tmp_path)]) == 2
    assert main(["run", str(write(tmp_path / "r.json", "{")), "--out", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert "there is no recipe" in captured.err
    assert "is no JSON" in captured.err


def test_describe_as_a_process():
    done = subprocess.run(
        [sys.executable, "-m", "aidp", "describe", "--format", "json"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ},
    )
    names = [entry["name"] for entry in json.loads(done.stdout)]
    assert "deduplicate_by_minhash" in names
    assert done.stderr == ""


def test_content_ids_ignore_chunks_offsets_saving_and_selection(tmp_path):
    values = {
        "text": ["a", None, "ccc", ""],
        "n": [1, None, 3, 4],
        "flag": [True, False, None, True],
        "list": [[1, 2], [], None, [3]],
        "turns": [[{"role": "u", "content": "x"}], [], [{"role": "a", "content": None}], None],
    }
    whole = pa.table(values)
    parts = pa.concat_tables([whole.slice(0, 1), whole.slice(1, 2), whole.slice(3)])
    wide = whole.set_column(0, "text", whole["text"].cast(pa.large_string()))
    assert content_id(whole) == content_id(parts) == content_id(wide)
    Dataset(whole).save_to_disk(tmp_path / "d")
    assert content_id(load_from_disk(tmp_path / "d").data.table) == content_id(whole)


@pytest.mark.parametrize(
    "change", [{"a": ["x", "yz"]}, {"a": ["xyz", ""]}, {"b": ["xy", "z"]}, {"a": ["xy", None]}]
)
def test_content_ids_tell_different_rows_apart(change):
    assert content_id(pa.table({"a": ["xy", "z"]})) != content_id(pa.table(change))
