"""The search laboratory on its committed tables: over its command line, and part by part."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

LABORATORY = Path(__file__).parents[3] / "benchmarks" / "search"
AGENTS = ("trex (UCT default)", "trex, rules alone", "grid", "random_search")


@pytest.fixture(scope="module")
def replays() -> Any:
    """The module `replay`: the laboratory is a folder of scripts."""
    sys.path.insert(0, str(LABORATORY))
    try:
        yield importlib.import_module("replay")
    finally:
        sys.path.remove(str(LABORATORY))


@pytest.fixture(scope="module")
def space(replays: Any) -> Any:
    """SST-2's table and its moves."""
    return replays.space_of(("sst2", LABORATORY, "", ""))


def _replay(out: Path) -> dict[str, Any]:
    command = [sys.executable, str(LABORATORY / "replay.py"), "--tasks", "sst2", "--seeds", "2"]
    done = subprocess.run(
        [*command, "--agents", "grid,default", "--workers", "1", "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads((out / "outcome.json").read_text("utf-8"))
    return found["sst2"]  # type: ignore[no-any-return]


def test_a_replay_is_the_same_in_another_process_and_never_goes_down(
    tmp_path: Path, replays: Any
) -> None:
    found = _replay(tmp_path)
    where = ("sst2", LABORATORY, "", "")
    for name in ("grid", AGENTS[0]):
        areas = replays.replay_some(where, name, range(2)).areas
        assert found["agents"][name]["area"][0] == pytest.approx(areas.mean(), abs=1e-5)
        curve = found["curves"][name]
        assert len(curve) == replays.TRAININGS
        assert curve == sorted(curve)
    assert (tmp_path / "curves.svg").read_text("utf-8").startswith("<svg")
    assert AGENTS[0] in (tmp_path / "tables.md").read_text("utf-8")


@pytest.mark.parametrize("task", ["mini", "sst2"])
def test_the_tables_hold_every_point_and_the_answers_give_the_scores(
    replays: Any, task: str
) -> None:
    table = replays.space_of((task, LABORATORY, "", "")).table
    assert (LABORATORY / f"{task}.json.gz").stat().st_size < 500_000
    assert set(table.by_point) == set(table.landscape.points())
    every_item = np.ones(table.head["rows"]["validation"])
    scored = [entry for entry in table.entries if entry.score is not None]
    for entry in scored[::25]:
        assert entry.score_with(every_item) == pytest.approx(entry.score, abs=1e-9)
    assert {entry.row["failure"] for entry in table.entries if entry.score is None} <= {
        "DATA_EMPTY"
    }


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_trains_no_point_twice_and_none_outside_the_table(
    replays: Any, space: Any, name: str
) -> None:
    lab = replays.replay(space, name, 3)
    configurations = [(o.recipe, o.variant.scheme()) for node in lab.tree for o in node.outcomes]
    assert len(set(configurations)) == len(configurations) == len(lab.trainings)
    assert set(configurations) <= set(space.table.by_configuration)
    assert 3 <= len(lab.trainings) <= replays.TRAININGS


def test_agents_of_one_seed_are_judged_by_the_same_items(replays: Any, space: Any) -> None:
    grid, trex = (replays.replay(space, name, 5) for name in ("grid", AGENTS[0]))
    assert (grid.weights == trex.weights).all()
    assert (grid.weights != replays.replay(space, "grid", 6).weights).any()
    assert grid.weights.sum() == space.table.head["rows"]["validation"]


def test_a_smaller_space_keeps_to_the_level_that_is_fixed(replays: Any, space: Any) -> None:
    part = replays.space_of(("sst2", LABORATORY, "batch_size", "batch_size=64"))
    assert len(part.table.by_point) == len(space.table.by_point) // 3
    lab = replays.replay(part, AGENTS[0], 0)
    assert {o.variant.batch_size for node in lab.tree for o in node.outcomes} == {64}
