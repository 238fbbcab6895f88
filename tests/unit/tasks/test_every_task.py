"""Every task: what each folder must hold, and what its rows must be once prepared."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from ft_bench.protocols import TaskData
from ft_bench.task import TaskSpec, load_task

TASKS = sorted(
    folder.parent.name
    for folder in Path(__file__).resolve().parents[3].glob("ft_bench/tasks/*/task.toml")
    if folder.parent.name != "mini"
)
TABLE_3 = {
    "aci_bench": ("rouge1", 0.240, 0.205),
    "tomg_bench": ("validity_accuracy", 0.642, 0.182),
    "omebench": ("omescore", 0.283, 0.198),
    "hoc": ("macro_f1", 0.645, 0.462),
    "cs_bench": ("accuracy", 0.853, 0.532),
    "openfindata": ("accuracy", 0.833, 0.494),
    "sst2": ("accuracy", 0.970, 0.958),
    "econlogicqa": ("accuracy", 0.469, 0.260),
    "gta": ("accuracy", 0.722, 0.582),
    "lawbench": ("hybrid", 0.512, 0.242),
}
Prepared = Callable[[str], tuple[TaskSpec, TaskData]]


def scorer_of(spec: TaskSpec) -> Any:
    (entry,) = entry_points(group="ft_bench.scorers", name=spec.scorer)
    return entry.load()


def score(scorer: Any, rows: list[dict[str, Any]], outputs: list[str], parser: str) -> float:
    items = scorer.score_items(rows, outputs, parser=parser)
    return float(scorer.value(scorer.statistics(rows, items).sum(axis=0)))


@pytest.mark.parametrize("task", TASKS)
def test_constants_are_those_of_table_3(task: str) -> None:
    spec = load_task(f"ft_bench.tasks.{task}")
    assert spec.id == task
    assert spec.reference is not None
    assert (spec.metric.name, spec.reference.score, spec.reference.base) == TABLE_3[task]
    assert spec.parser in scorer_of(spec).parsers
    assert scorer_of(spec).name == spec.metric.name


@pytest.mark.parametrize("task", TASKS)
def test_the_folder_is_documented(task: str) -> None:
    assert importlib.import_module(f"ft_bench.tasks.{task}").__doc__
    assert len(load_task(f"ft_bench.tasks.{task}").brief) > 400


@pytest.mark.parametrize("task", TASKS)
def test_counts_are_those_of_the_specification(task: str, published: Prepared) -> None:
    spec, data = published(task)
    counts = (len(data.train), len(data.validation), len(data.test))
    published = (spec.splits.train, spec.splits.validation, spec.splits.test)
    if data.notes and data.notes[0].startswith("Missing:"):
        assert spec.missing
        assert all(0 < ours <= theirs for ours, theirs in zip(counts, published, strict=True))
    else:
        assert counts == published


@pytest.mark.parametrize("task", TASKS)
def test_rows_are_json_with_unique_ids_and_three_strings(task: str, published: Prepared) -> None:
    _, data = published(task)
    rows = [*data.train, *data.validation, *data.test]
    for row in rows:
        assert all(isinstance(row[key], str) for key in ("id", "prompt", "answer")), row["id"]
        assert row["id"], row
        assert row["prompt"], row
    assert len({row["id"] for row in rows}) == len(rows)
    assert json.loads(json.dumps(rows[:100])) == rows[:100]


@pytest.mark.parametrize("task", TASKS)
def test_gold_scores_more_than_any_other_output_and_empty_the_floor(
    task: str, published: Prepared
) -> None:
    spec, data = published(task)
    scorer = scorer_of(spec)
    rows = [row for row in data.validation if row["answer"]]
    if not rows:
        pytest.skip("the benchmark publishes no gold answers")
    gold = score(scorer, rows, [row["answer"] for row in rows], spec.parser)
    empty = score(scorer, rows, [""] * len(rows), spec.parser)
    assert gold == pytest.approx(CEILINGS.get(task, 1.0), abs=5e-4)
    assert empty == pytest.approx(FLOORS.get(task, spec.metric.floor), abs=5e-4)


@pytest.mark.parametrize("task", TASKS)
def test_no_row_is_in_two_splits(task: str, published: Prepared) -> None:
    _, data = published(task)
    test = {row["prompt"] for row in data.test}
    assert len([row for row in data.validation if row["prompt"] in test]) <= REPEATED.get(task, 0)
    shared = len({row["prompt"] for row in data.train} & test)
    assert shared == REPEATED.get(task, 0)


CEILINGS = {"gta": 0.8436, "lawbench": 0.9979}
"""What gold answers reach on validation where upstream's own references cannot all match."""

FLOORS: dict[str, float] = {}
REPEATED = {"sst2": 2, "tomg_bench": 1}
"""Prompts of the test that upstream's training data also have."""
