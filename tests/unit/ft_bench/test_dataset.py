from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from datasets import Dataset, load_from_disk

import aidp
from ft_bench.dataset import Datasets
from ft_bench.errors import JobFailed
from ft_bench.plan import DataRecipe, Operation, Source
from ft_bench.prepare import Prepared, read_rows
from ft_bench.testing.toy.prepare import CONFLICTS, COPIES

CAP = 10_000


class Counting:
    """AIDP, counted."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(
        self, recipe: Mapping[str, Any], sources: Mapping[str, Any], **options: Any
    ) -> Any:
        self.calls += 1
        return aidp.run(recipe, sources, **options)


@pytest.fixture
def builder() -> Counting:
    return Counting()


@pytest.fixture
def datasets(toy: Prepared, tmp_path: Path, builder: Counting) -> Datasets:
    (tmp_path / "workspace").mkdir()
    return Datasets(toy, tmp_path / "datasets", builder, tmp_path / "workspace")


def _recipe(*steps: tuple[str, dict[str, Any]], **fields: Any) -> DataRecipe:
    calls = tuple(Operation(op=op, params=params) for op, params in steps)
    return DataRecipe(steps=calls, **fields)


def _leave(datasets: Datasets, name: str, text: str) -> DataRecipe:
    path = datasets.workspace / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(text, encoding="utf-8")
    return DataRecipe(sources=(Source(id=name),))


def test_the_raw_pool_is_the_training_split(datasets: Datasets, toy: Prepared) -> None:
    made = datasets.build(DataRecipe(), CAP)
    rows = read_rows(toy.train)
    kept = load_from_disk(str(made.path))
    assert kept.column_names == ["prompt", "answer"]
    assert kept["prompt"][:] == [row["prompt"] for row in rows] == list(made.prompts())
    assert kept["answer"][:] == [row["answer"] for row in rows]
    assert (made.rows, made.rows_read) == (len(rows), len(rows))


def test_operators_run_in_order_and_leave_their_lineage(datasets: Datasets) -> None:
    made = datasets.build(
        _recipe(
            ("drop_conflicts", {"key": "prompt", "answer": "answer", "keep": "none"}),
            ("decontaminate", {"column": "prompt", "against": "validation"}),
        ),
        CAP,
    )
    assert made.rows <= made.rows_read - 2 * CONFLICTS - COPIES
    assert "drop_conflicts" in json.dumps(made.lineage)


def test_the_same_rows_have_the_same_name_whatever_made_them(datasets: Datasets) -> None:
    raw = datasets.build(DataRecipe(), CAP)
    same = datasets.build(_recipe(("select_by_filter", {"where": "length(prompt) > 0"})), CAP)
    other = datasets.build(DataRecipe(max_samples=50), CAP)
    assert raw.dataset == same.dataset != other.dataset
    assert raw.path == same.path
    assert other.rows == 50


def test_a_recipe_is_run_once(datasets: Datasets, builder: Counting) -> None:
    first = datasets.build(DataRecipe(max_samples=20), CAP)
    again = Datasets(datasets.data, datasets.folder, builder, datasets.workspace)
    second = again.build(DataRecipe(max_samples=20), CAP)
    assert first == second
    assert builder.calls == 1


def test_a_pruned_dataset_is_made_again(datasets: Datasets, builder: Counting) -> None:
    first = datasets.build(DataRecipe(), CAP)
    shutil.rmtree(first.path)
    assert datasets.build(DataRecipe(), CAP) == first
    assert len(load_from_disk(str(first.path))) == first.rows
    assert builder.calls == 2


def test_a_dataset_half_written_by_a_dead_process_is_replaced(datasets: Datasets) -> None:
    first = datasets.build(DataRecipe(), CAP)
    (first.path / "state.json").unlink()
    assert datasets.build(DataRecipe(), CAP) == first
    assert (first.path / "state.json").exists()


def test_the_name_covers_order_and_boundaries(datasets: Datasets) -> None:
    def name(*rows: tuple[str, str]) -> str:
        lines = [json.dumps({"prompt": prompt, "answer": answer}) for prompt, answer in rows]
        recipe = _leave(datasets, f"{len(lines)}{rows}", "\n".join(lines))
        return datasets.build(recipe, CAP).dataset

    names = [
        name(("a", "b"), ("c", "d")),
        name(("c", "d"), ("a", "b")),
        name(("ab", ""), ("c", "d")),
        name(("a", "bc"), ("", "d")),
        name(("a", "b")),
    ]
    assert len(set(names)) == len(names)


def test_a_workspace_file_is_a_source(datasets: Datasets) -> None:
    row = json.dumps({"prompt": "p", "answer": "a", "more": 1})
    recipe = _leave(datasets, "made/mine.jsonl", f"{row}\n{row}\n")
    assert datasets.build(recipe, CAP).rows == 2


def test_a_changed_workspace_file_is_read_again(datasets: Datasets) -> None:
    row = json.dumps({"prompt": "p", "answer": "a"})
    assert datasets.build(_leave(datasets, "m.jsonl", row), CAP).rows == 1
    import os

    recipe = _leave(datasets, "m.jsonl", f"{row}\n{row}")
    os.utime(datasets.workspace / "m.jsonl", (1, 1))
    assert datasets.build(recipe, CAP).rows == 2


@pytest.mark.parametrize(
    "name", ["nowhere.jsonl", "../train.jsonl", "validation", "test", "/etc/hostname", "."]
)
def test_sources_outside_the_workspace_are_refused(
    datasets: Datasets, toy: Prepared, name: str
) -> None:
    shutil.copy(toy.validation, datasets.workspace.parent / "train.jsonl")
    with pytest.raises(JobFailed, match="is unknown; expected 'train'") as caught:
        datasets.build(DataRecipe(sources=(Source(id=name),)), CAP)
    assert caught.value.kind == "DATA_SOURCE"


def test_a_link_out_of_the_workspace_is_refused(datasets: Datasets, toy: Prepared) -> None:
    (datasets.workspace / "mine.jsonl").symlink_to(toy.test)
    with pytest.raises(JobFailed, match="is unknown"):
        datasets.build(DataRecipe(sources=(Source(id="mine.jsonl"),)), CAP)


@pytest.mark.parametrize("part", ["data", "mine.jsonl"])
def test_a_source_exchanged_while_it_is_opened_is_not_followed(
    datasets: Datasets, toy: Prepared, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Between the look at a path and its opening, the agent puts a link in its place."""
    recipe = _leave(datasets, "data/mine.jsonl", '{"prompt": "a", "answer": "b"}\n')
    (datasets.workspace.parent / "data").mkdir()
    shutil.copy(toy.test, datasets.workspace.parent / "data" / "mine.jsonl")
    targets = {"data": datasets.workspace.parent / "data", "mine.jsonl": toy.test}
    opened = os.open

    def late(path: Any, *args: Any, **options: Any) -> int:
        if path == part:
            place = datasets.workspace / ("data" if part == "data" else "data/mine.jsonl")
            place.rename(datasets.workspace / "aside")
            place.symlink_to(targets[part])
        return opened(path, *args, **options)

    monkeypatch.setattr("ft_bench.files.os.open", late)
    with pytest.raises(JobFailed, match="is unknown"):
        datasets.build(recipe, CAP)
    assert (datasets.workspace / "aside").exists()


@pytest.mark.parametrize(
    "text", ["", "no json", '{"prompt": "a"', '{"prompt": 1}\n{"prompt": "b"}']
)
def test_a_workspace_file_that_cannot_be_read_is_the_sources_fault(
    datasets: Datasets, text: str
) -> None:
    with pytest.raises(JobFailed, match=r"mine\.jsonl") as caught:
        datasets.build(_leave(datasets, "mine.jsonl", text), CAP)
    assert caught.value.kind == "DATA_SOURCE"


@pytest.mark.parametrize(
    ("recipe", "kind"),
    [
        (_recipe(("select_by_filter", {"where": "length(prompt) > 100000"})), "DATA_EMPTY"),
        (_recipe(("select_by_filtre", {"where": "true"})), "PLAN_INVALID"),
        (_recipe(("select_by_filter", {"were": "true"})), "PLAN_INVALID"),
        (_recipe(("select_by_filter", {"where": "nonsense ~~ ("})), "PLAN_INVALID"),
        (_recipe(("select_by_filter", {"where": "absent > 1"})), "DATA_SCHEMA"),
        (_recipe(("drop_conflicts", {"key": "absent"})), "DATA_SCHEMA"),
        (_recipe(("select_by_filter", {"where": "answer REGEXP '('"})), "PLAN_INVALID"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_recipe_that_fails_says_how(datasets: Datasets, recipe: DataRecipe, kind: str) -> None:
    with pytest.raises(JobFailed) as caught:
        datasets.build(recipe, CAP)
    assert caught.value.kind == kind
    assert not list(datasets.folder.glob("recipes/*"))


def test_more_rows_than_the_cap_are_refused(datasets: Datasets) -> None:
    with pytest.raises(JobFailed, match="236 rows, at most 235") as caught:
        datasets.build(DataRecipe(), 235)
    assert caught.value.kind == "POLICY"
    assert datasets.build(DataRecipe(), 236).rows == 236


def test_a_dataset_needs_prompt_and_answer(datasets: Datasets) -> None:
    datasets.builder = lambda *_, **__: SimpleNamespace(  # type: ignore[assignment]
        dataset=Dataset.from_dict({"prompt": ["a"]}), lineage={}
    )
    with pytest.raises(JobFailed, match="expected also") as caught:
        datasets.build(DataRecipe(), CAP)
    assert caught.value.kind == "DATA_SCHEMA"


def test_a_bug_in_the_builder_is_no_failure_of_the_data(datasets: Datasets) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    datasets.builder = broken
    with pytest.raises(ZeroDivisionError):
        datasets.build(DataRecipe(), CAP)


def test_nothing_is_printed(datasets: Datasets, capfd: pytest.CaptureFixture[str]) -> None:
    datasets.build(DataRecipe(max_samples=9), CAP)
    assert capfd.readouterr() == ("", "")
