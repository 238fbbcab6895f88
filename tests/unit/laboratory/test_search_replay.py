"""The search laboratory over its command line, on the committed tables."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

LABORATORY = Path(__file__).parents[3] / "benchmarks" / "search"


def _replay(out: Path, agents: str) -> dict[str, object]:
    command = [sys.executable, str(LABORATORY / "replay.py"), "--seeds", "2", "--tasks", "sst2"]
    done = subprocess.run(
        [*command, "--agents", agents, "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, object] = json.loads((out / "outcome.json").read_text("utf-8"))
    return found


def test_a_replay_is_the_same_every_time_and_never_goes_down(tmp_path: Path) -> None:
    first, second = (_replay(tmp_path / name, "grid,default") for name in "ab")
    assert first == second
    found = first["sst2"]
    assert isinstance(found, dict)
    for curve in found["curves"].values():
        assert len(curve) == 63
        assert curve == sorted(curve)
        assert 0.5 < curve[-1] <= found["exhaustive"]["validation"] + 1e-5
    assert (tmp_path / "a" / "curves.svg").read_text("utf-8").startswith("<svg")
    assert "trex (UCT default)" in (tmp_path / "a" / "tables.md").read_text("utf-8")


@pytest.mark.parametrize("task", ["mini", "sst2"])
def test_the_tables_hold_real_trainings(task: str) -> None:
    path = LABORATORY / f"{task}.json.gz"
    assert path.stat().st_size < 300_000
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        table = json.load(stream)
    assert table["head"]["task"] == task
    points = {(tuple(row[0]), row[1]) for row in table["rows"]}
    assert len(points) == len(table["rows"]) > 150
