"""Rules of earlier runs: which are read, and what they do to a run's identity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ft_bench.budget import Budget
from ft_bench.earlier import read_earlier
from ft_bench.errors import UsageError
from ft_bench.files import write_json
from ft_bench.record import Agreed, RunManifest
from ft_bench.store import Journal, RunPaths, read_manifest
from ft_bench.testing.bench import Bench
from trex_agent.agent import Trex

RULE: Mapping[str, Any] = {"feature": "drop_conflicts(none)", "reward": 0.1, "n": 6}
QUICK = {"variants": "2", "root_variants": "2", "confirm_top": "0"}


def left(folder: Path, task: str, *values: Any, finished: bool = True) -> RunPaths:
    """A run of a task that agreed on rules."""
    paths = RunPaths(folder / f"{task}--trex@offline--s{len(list(folder.glob('*')))}--1")
    journal = Journal(paths)
    for value in values:
        journal.append(Agreed(key="insights", value=value))
    journal.close()
    shared = {"run_id": paths.root.name, "digest": "d", "task_version": "1", "scorer_version": "1"}
    more = {"agent": "trex", "backend": "offline", "seed": 0, "base_model": "b"}
    write_json(
        paths.manifest,
        RunManifest.model_validate(
            {**shared, **more, "task": task, "base_digest": "x", "data_digest": "y"}
        ),
    )
    if finished:
        paths.card.write_text("{}")
    return paths


def test_the_last_rules_of_finished_runs_of_other_tasks_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    other = left(folder, "mini", [{"feature": "old"}], [dict(RULE)])
    left(folder, "toy", [dict(RULE)])
    left(folder, "hoc", [dict(RULE)], finished=False)
    left(folder, "sst2", "no list", ["no rule"])
    broken = left(folder, "gta", [dict(RULE)])
    broken.events.write_text("not a journal\n")
    found = read_earlier(folder, "toy")
    assert found.rules == ({**RULE, "task": "mini"},)
    assert found.runs == (other.root.name,)
    assert found.digest == read_earlier(folder, "toy").digest != read_earlier(folder, "mini").digest


@pytest.mark.parametrize("limit", [{}, {"device_seconds": 20.0}])
@pytest.mark.parametrize("confirm_top", ["0", "1"])
def test_a_finished_run_leaves_its_rules(
    tmp_path: Path, limit: dict[str, float], confirm_top: str
) -> None:
    """Also where nothing is confirmed, and where the budget ends in the middle of the search."""
    bench = Bench(tmp_path)
    budget = Budget.model_validate({"iterations": 2, **limit})
    card = bench.run(Trex, options={**QUICK, "confirm_top": confirm_top}, budget=budget)
    assert card.status == "complete"
    assert ("budget" in card.stop_reason) is bool(limit)
    found = read_earlier(tmp_path / "runs", "another task")
    assert found.runs == (card.run_id,)
    assert {rule["task"] for rule in found.rules} == {"toy"}


def test_a_folder_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        read_earlier(tmp_path / "nowhere", "toy")


def test_earlier_rules_make_another_run_and_stand_in_its_manifest(tmp_path: Path) -> None:
    folder = tmp_path / "earlier"
    folder.mkdir()
    left(folder, "mini", [dict(RULE)])
    bench = Bench(tmp_path)
    budget = Budget(iterations=1)
    plain = bench.run(Trex, options=QUICK, budget=budget)
    taught = bench.run(Trex, options=QUICK, budget=budget, insights=folder)
    assert plain.run_id != taught.run_id
    assert read_manifest(bench.paths(plain)).insights == {}
    held = read_manifest(bench.paths(taught)).insights
    assert [rule["feature"] for rule in held["rules"]] == ["drop_conflicts(none)"]
    assert bench.run(Trex, options=QUICK, budget=budget, insights=folder) == taught
