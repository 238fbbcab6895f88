"""Predictions: every way a file can be wrong is one sentence, and any known row can be scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ft_bench import registry
from ft_bench.errors import DataMissing, UnknownName, UsageError
from ft_bench.grader.predictions import score_file
from ft_bench.grader.questions import given_rows, questions_of
from ft_bench.prepare import Prepared

SPEC = registry.task("sst2")


def _lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Prepared:
    def split(name: str) -> Path:
        rows = [{"id": f"{name}-{n}", "answer": "positive"} for n in range(3)]
        return _lines(tmp_path / f"{name}.jsonl", rows)

    return Prepared(
        spec=SPEC,
        train=split("train"),
        validation=split("validation"),
        test=split("test"),
        spare=split("spare"),
        rows={"train": 3, "validation": 3, "test": 3},
        data_digest="",
        notes=(),
    )


def _file(tmp_path: Path, *names: str) -> Path:
    rows = [{"id": name, "output": "positive"} for name in names]
    return _lines(tmp_path / "predictions.jsonl", rows)


def test_any_scores_rows_of_every_place_in_one_file(data: Prepared, tmp_path: Path) -> None:
    path = _file(tmp_path, "test-1", "validation-2", "spare-0", "train-0")
    found = score_file(SPEC, questions_of(data, "any"), path)
    assert (found["n"], found["score"], found["split"]) == (4, 1.0, "any")


def test_rows_of_another_split_are_named_with_the_remedy(data: Prepared, tmp_path: Path) -> None:
    path = _file(tmp_path, "test-0", "spare-1")
    with pytest.raises(UsageError, match=r"'spare-1'; that one is of spare: give --split any"):
        score_file(SPEC, questions_of(data, "test"), path)


def test_a_split_wants_every_row_unless_partial(data: Prepared, tmp_path: Path) -> None:
    path = _file(tmp_path, "validation-0")
    questions = questions_of(data, "validation")
    with pytest.raises(UsageError, match="lacks 2 of 3 rows, such as 'validation-1'"):
        score_file(SPEC, questions, path)
    assert score_file(SPEC, questions, path, partial=True)["n"] == 1


@pytest.mark.parametrize("split", ["test", "any"])
def test_another_tasks_file_is_recognised(data: Prepared, tmp_path: Path, split: str) -> None:
    with pytest.raises(UsageError, match="is it another task's file"):
        score_file(SPEC, questions_of(data, split), _file(tmp_path, "1-1-17"))


def test_some_unknown_ids_are_counted(data: Prepared, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds 1 unknown id, such as 'nobody'"):
        score_file(SPEC, questions_of(data, "test"), _file(tmp_path, "test-0", "nobody"))


def test_an_unknown_split_is_refused(data: Prepared) -> None:
    with pytest.raises(UnknownName):
        questions_of(data, "tset")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"id": "a", "output": "x"}\n{"id": "a", "output": "y"}', "line 2 repeats id 'a'"),
        (b'{"id": "a"}', 'expected an object with "id" and "output"'),
        (b"[" * 100_000, "line 1 is not JSON"),
        (b"\xff\xfe", "line 1 is not JSON"),
        (b'{"id": "a", "output": 3}', "output is int, expected text or null"),
        (b"\n\n", "holds no prediction"),
    ],
)
def test_a_damaged_file_is_one_sentence(
    data: Prepared, tmp_path: Path, line: bytes, message: str
) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(line)
    with pytest.raises(UsageError, match=message) as raised:
        score_file(SPEC, questions_of(data, "test"), path)
    assert "\n" not in str(raised.value)


def test_invalid_utf8_inside_an_output_is_scored(data: Prepared, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(b'{"id": "test-0", "output": "\xff\xfe \\u0000 positive"}\n')
    assert score_file(SPEC, questions_of(data, "any"), path)["score"] == 1.0


def test_own_rows_are_scored_without_prepared_data(tmp_path: Path) -> None:
    rows = _lines(tmp_path / "rows.jsonl", [{"id": "a", "answer": "positive"}])
    found = score_file(SPEC, given_rows(rows), _file(tmp_path, "a"))
    assert (found["score"], found["split"]) == (1.0, "rows")


def test_own_rows_without_what_the_scorer_reads_are_a_usage_error(tmp_path: Path) -> None:
    rows = _lines(tmp_path / "rows.jsonl", [{"id": "a"}])
    with pytest.raises(UsageError, match=r"cannot read \(KeyError: 'answer'\)"):
        score_file(SPEC, given_rows(rows), _file(tmp_path, "a"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": "a"}\n{"id": "a"}\n', "line 2 repeats id 'a'"),
        ('{"id": 3}\n', 'expected an object with a text "id"'),
        ("{\n", "line 1 is not JSON"),
        ("\n", "holds no row"),
    ],
)
def test_a_damaged_file_of_rows_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        given_rows(path)


def test_absent_files_are_missing_data(tmp_path: Path) -> None:
    with pytest.raises(DataMissing):
        given_rows(tmp_path / "none.jsonl")
