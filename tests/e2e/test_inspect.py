"""`inspect eval ft_bench/<task>` to its end: real processes, a mock model, no network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ft_bench.digest import file_sha256
from ft_bench.files import write_json, write_lines

_TOOL = {"name": "OCR", "inputs": [{"name": "image", "type": "image", "optional": False}]}
_STEP = {
    "gold": {"role": "assistant", "content": "58"},
    "reference": {"whitelist": [["58"]], "blacklist": None},
    "counts": 1,
    "tools": [_TOOL],
    "files": ["a.jpg"],
}
ROWS: dict[str, list[dict[str, Any]]] = {
    "sst2": [
        {"id": "test-0", "prompt": "Sentence: fine", "answer": "positive"},
        {"id": "test-1", "prompt": "Sentence: dull", "answer": "negative"},
    ],
    "gta": [{"id": "25-1", "prompt": "How many days?", "answer": "Final Answer:58", **_STEP}],
}


def write_prepared(home: Path, task: str, rows: list[dict[str, Any]]) -> None:
    """Write a task's splits as `prepare` leaves them."""
    for folder, splits in (("cache", ("train", "validation")), ("data", ("test",))):
        where = home / folder / "ft-bench"
        where = (where if folder == "cache" else where / "private") / "tasks" / f"{task}-1"
        where.mkdir(parents=True)
        entries = {}
        for split in splits:
            path = where / f"{split}.jsonl"
            write_lines(path, (json.dumps(row) + "\n" for row in rows))
            entries[split] = {"rows": len(rows), "sha256": file_sha256(path)}
        manifest = {"task": task, "version": "1", "splits": entries, "notes": []}
        write_json(where / "manifest.json", manifest)


@pytest.fixture
def logs(tmp_path: Path) -> list[dict[str, Any]]:
    """What Inspect logged of one evaluation of each task."""
    for task, rows in ROWS.items():
        write_prepared(tmp_path, task, rows)
    homes = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_DATA_HOME": str(tmp_path / "data")}
    command = [sys.executable, "-m", "inspect_ai", "eval", *(f"ft_bench/{task}" for task in ROWS)]
    command += ["--model", "mockllm/model", "--display", "plain", "--log-format", "json"]
    ended = subprocess.run(
        [*command, "--log-dir", str(tmp_path / "logs")],
        env={**os.environ, **homes, "HF_HUB_OFFLINE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return [json.loads(path.read_bytes()) for path in sorted((tmp_path / "logs").glob("*.json"))]


def test_two_tasks_are_evaluated_to_their_end(logs: list[dict[str, Any]]) -> None:
    assert {log["eval"]["task"].rpartition("/")[2] for log in logs} == set(ROWS)
    for log in logs:
        rows = ROWS[log["eval"]["task"].rpartition("/")[2]]
        assert log["status"] == "success"
        assert [sample["id"] for sample in log["samples"]] == [row["id"] for row in rows]
        assert not any(sample.get("error") for sample in log["samples"])
        (score,) = log["results"]["scores"]
        assert score["metrics"]["accuracy"]["value"] == 0.0  # the mock answers with a fixed text
