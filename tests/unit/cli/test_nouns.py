from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Cli


def test_help_is_short(cli: Cli) -> None:
    ended = cli("--help")
    assert ended.code == 0
    assert len(ended.out.splitlines()) <= 45
    assert "eval" in ended.out


@pytest.mark.parametrize("command", [("tasks", "list"), ("plugins", "list"), ("runs", "list")])
def test_lists_are_json_in_a_pipe_and_text_for_a_person(cli: Cli, command: tuple[str, str]) -> None:
    assert isinstance(cli(*command).json(), list)
    text = cli(*command, "--format", "human").out
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    assert cli(*command, "--format", "quiet").out == ""


def test_eleven_tasks(cli: Cli) -> None:
    names = {row["task"] for row in cli("tasks", "list").json()}
    assert {"mini", "sst2", "hoc", "lawbench"} <= names


def test_show_task(cli: Cli) -> None:
    ended = cli("tasks", "show", "sst2", "--format", "human")
    assert "67,349 train" in ended.out
    assert "reference   0.97" in ended.out
    assert "parsers     strict (default), verbatim, promptbench_cls" in ended.out


def test_show_lists_the_lenient_parser(cli: Cli) -> None:
    found = cli("tasks", "show", "hoc", "--format", "json").json()
    assert found["parser"] == "strict"
    assert found["parsers"] == ["strict", "lenient", "verbatim"]


def test_prepare_needs_a_choice(cli: Cli) -> None:
    assert cli("tasks", "prepare").code == 2
    assert cli("tasks", "prepare", "mini", "--all").code == 2


def test_an_unprepared_task_cannot_be_scored_without_data(cli: Cli, tmp_path: Path) -> None:
    predictions = tmp_path / "p.jsonl"
    predictions.write_text('{"id": "1", "output": "positive"}\n')
    ended = cli("score", "--task", "sst2", "--data-dir", str(tmp_path), str(predictions))
    assert ended.code == 3
    assert "train.tsv is not there" in ended.err


def test_unknown_runs_are_suggested(cli: Cli) -> None:
    ended = cli("tree", "mini--trex")
    assert ended.code == 2
    assert "no runs in" in ended.err


def test_doctor_finds_this_environment_fit(cli: Cli) -> None:
    ended = cli("doctor", "--format", "json")
    assert ended.code == 0
    assert {"torch", "trl", "rdkit"} <= {row["what"] for row in ended.json()}
