"""`ft-bench score` for every task, over the command line, with rows made here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Cli

FIELDS = {"score", "ci", "components", "n", "invalid", "parser", "task_version"}
_NAMES = {"whitelist": [["58"]], "blacklist": None}
_STEP = {"subtype": "dissociation", "intermediate_smiles": "CC=O", "step_weight": 1.0}
ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "aci_bench": ({"answer": "PLAN\n\nRest.", "division": "full"}, "PLAN\n\nRest."),
    "cs_bench": ({"answer": "B", "format": "Multiple-choice"}, "(B)"),
    "econlogicqa": ({"answer": "C, A, B, D"}, "C, A, B, D"),
    "gta": (
        {
            "gold": {"content": "58"},
            "reference": _NAMES,
            "counts": 1,
            "tools": [],
            "files": [],
        },
        "Final Answer:58",
    ),
    "hoc": ({"answer": "cellular energetics"}, "cellular energetics"),
    "lawbench": ({"subtask": "3-4", "reference": "刑期:4个月"}, "[刑期]4个月<eoa>"),
    "omebench": (
        {"mechanism": [_STEP]},
        '[ANSWER][{"subtype": "dissociation", "intermediate_smiles": "CC=O"}][/ANSWER]',
    ),
    "openfindata": ({"subtask": "financial_facts", "answer": "A"}, "答案是A"),
    "sst2": ({"answer": "negative"}, "negative"),
    "tomg_bench": (
        {"subtask": "AddComponent", "molecule": "CCO", "added_group": "amine"},
        '{"molecule": "NCCO"}',
    ),
}


def _write(path: Path, row: dict[str, Any]) -> str:
    path.write_text(json.dumps({"id": "a", **row}) + "\n", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("task", sorted(ROWS))
def test_every_task_is_scored_as_json(cli: Cli, tmp_path: Path, task: str) -> None:
    row, output = ROWS[task]
    rows = _write(tmp_path / "rows.jsonl", row)
    file = _write(tmp_path / "p.jsonl", {"output": output})
    ended = cli("score", "--task", task, "--rows", rows, file, "--format", "json")
    assert ended.code == 0, ended.err
    found = ended.json()
    assert found.keys() >= FIELDS
    expected = 0.1 if task == "hoc" else 1.0
    assert found["score"] == pytest.approx(expected)
    assert (found["n"], found["invalid"], found["parser"]) == (1, 0, "strict")


def test_mistakes_are_one_sentence_and_exit_2(cli: Cli, tmp_path: Path) -> None:
    rows = _write(tmp_path / "rows.jsonl", {"answer": "positive"})
    file = tmp_path / "p.jsonl"
    file.write_text('{"id": "b", "output": "x"}\n')
    ended = cli("score", "--task", "sst2", "--rows", rows, str(file))
    assert ended.code == 2
    assert len(ended.err.strip().splitlines()) == 1
    assert cli("score", "--task", "sst2", "--split", "tset", str(file)).code == 2


def test_whole_dialogues_of_gta_are_scored_end_to_end(cli: Cli, tmp_path: Path) -> None:
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "OCR", "arguments": {}}}]}
    spoken = {"role": "assistant", "content": "It is 58."}
    sample = {"dialogs": [call, spoken], "reference": _NAMES, "counts": 1}
    rows = _write(tmp_path / "rows.jsonl", sample)
    file = _write(tmp_path / "p.jsonl", {"output": json.dumps([call, spoken])})
    line = ("score", "--task", "gta", "--rows", rows, file, "--format", "json")
    found = cli(*line, "--parser", "dialogue").json()
    assert (found["score"], found["parser"], found["invalid"]) == (1.0, "dialogue", 0)
    assert found["components"]["p_f1"] == pytest.approx(1.0, abs=1e-4)
    assert found["components"]["tool_call"] == 1.0
    steps = _write(tmp_path / "steps.jsonl", ROWS["gta"][0])
    refused = cli("score", "--task", "gta", "--rows", steps, file, "--parser", "dialogue")
    assert refused.code == 2
    assert "is one step of a dialogue" in refused.err


def test_files_may_start_with_a_byte_order_mark(cli: Cli, tmp_path: Path) -> None:
    rows, file = tmp_path / "rows.jsonl", tmp_path / "p.jsonl"
    rows.write_text('{"id": "a", "answer": "positive"}\n', encoding="utf-8-sig")
    file.write_bytes(b'\xef\xbb\xbf{"id": "a", "output": "positive"}\r\n')
    ended = cli("score", "--task", "sst2", "--rows", str(rows), str(file), "--format", "json")
    assert ended.json()["score"] == 1.0
