"""Dataset: the training sets of a run, made from recipes and kept by the hash of their rows."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from ft_bench.digest import digest
from ft_bench.errors import FailureKind, JobFailed
from ft_bench.files import open_beneath, write_json
from ft_bench.plan import DataRecipe
from ft_bench.prepare import Prepared
from ft_bench.protocols import DataBuilder

__all__ = ["Datasets", "Made"]

_COLUMNS = ("prompt", "answer")


@dataclass(frozen=True, slots=True)
class Made:
    """A dataset on disk. `dataset` is the hash of its prompts and answers, in order."""

    dataset: str
    path: Path
    rows: int
    rows_read: int
    lineage: dict[str, Any]

    def prompts(self) -> list[str]:
        """The prompts, in order."""
        import datasets

        prompts: list[str] = datasets.load_from_disk(str(self.path))["prompt"][:]
        return prompts


class Datasets:
    """Makes and keeps the training sets of one run.

    The validation split is there by name as something to clean against, never as a source of rows.

    Args:
        data: the task's splits.
        folder: where datasets are kept, one folder a hash.
        builder: runs a recipe.
        workspace: where an agent may leave JSONL files; a source id is looked up there.
    """

    def __init__(self, data: Prepared, folder: Path, builder: DataBuilder, workspace: Path) -> None:
        self.data, self.folder, self.builder, self.workspace = data, folder, builder, workspace

    def build(self, recipe: DataRecipe, cap: int) -> Made:
        """Run a recipe, or find what it made before.

        Args:
            recipe: sources and operators; files named in it lie in the workspace.
            cap: the most rows a dataset may have.

        Raises:
            JobFailed: DATA_SOURCE, DATA_EMPTY, DATA_SCHEMA, POLICY or PLAN_INVALID.
        """
        note = self.folder / "recipes" / f"{self._recipe_key(recipe, cap)}.json"
        if note.exists():
            known = self._found(json.loads(note.read_text("utf-8")))
            if (known.path / "state.json").exists():
                return known
        sources = self._sources(recipe)
        try:
            outcome = self.builder(recipe.model_dump(mode="json"), sources)
        except (ValueError, TypeError) as cause:
            raise JobFailed(_kind(cause), " ".join(str(cause).split())[:500]) from cause
        made = self._keep(outcome.dataset, outcome.lineage, cap, _rows_read(recipe, sources))
        write_json(
            note,
            {
                "dataset": made.dataset,
                "rows": made.rows,
                "rows_read": made.rows_read,
                "lineage": made.lineage,
            },
        )
        return made

    def _recipe_key(self, recipe: DataRecipe, cap: int) -> str:
        files = {
            source.id: path.stat().st_mtime_ns
            for source in recipe.sources
            if (path := self._file(source.id)) is not None
        }
        return digest([recipe, cap, files, self.data.data_digest])

    def _found(self, note: Mapping[str, Any]) -> Made:
        path = self.folder / str(note["dataset"])[:24]
        return Made(
            dataset=str(note["dataset"]),
            path=path,
            rows=int(note["rows"]),
            rows_read=int(note["rows_read"]),
            lineage=dict(note["lineage"]),
        )

    def _keep(self, dataset: Any, lineage: Mapping[str, Any], cap: int, rows_read: int) -> Made:
        import datasets

        missing = [name for name in _COLUMNS if name not in dataset.column_names]
        if missing:
            raise JobFailed(
                "DATA_SCHEMA",
                f"the dataset has columns {dataset.column_names}, expected also {missing}",
            )
        if len(dataset) == 0:
            raise JobFailed("DATA_EMPTY", "the recipe left no row; loosen a filter")
        if len(dataset) > cap:
            raise JobFailed(
                "POLICY", f"the dataset has {len(dataset)} rows, at most {cap} are allowed"
            )
        columns = [dataset[name][:] for name in _COLUMNS]
        name = _content_hash(columns)
        path = self.folder / name[:24]
        datasets.disable_progress_bars()
        if not (path / "state.json").exists():
            part = self.folder / f".{name[:24]}.{os.getpid()}"
            _save(dataset.select_columns(list(_COLUMNS)), part)
            shutil.rmtree(path, ignore_errors=True)
            part.replace(path)
        return Made(name, path, len(dataset), rows_read, dict(lineage))

    def outside(self, recipe: DataRecipe) -> list[str]:
        """Sources of a recipe that are files outside the workspace, by whatever way they are named.

        The task's own public files do not count: an agent that was told of them may name them.
        """
        public = {self.data.train.resolve(), self.data.validation.resolve()}
        found = []
        for source in recipe.sources:
            path = self._path(source.id)
            inside = path.is_relative_to(self.workspace.resolve())
            if not inside and path not in public and path.exists():
                found.append(source.id)
        return found

    def _sources(self, recipe: DataRecipe) -> dict[str, Any]:
        wanted = {source.id for source in recipe.sources}
        found: dict[str, Any] = {"train": self._train, "validation": self._validation}
        for name in sorted(wanted - {"train"}):
            stream = open_beneath(self.workspace, self._path(name))
            if stream is None:
                raise JobFailed(
                    "DATA_SOURCE",
                    f"source {name!r} is unknown; expected 'train' or a workspace file",
                )
            try:
                with stream:
                    found[name] = _load(stream)
            except ValueError as cause:
                why = " ".join(str(cause).split())[:300]
                raise JobFailed("DATA_SOURCE", f"source {name!r} is no JSONL: {why}") from cause
        return found

    def _file(self, name: str) -> Path | None:
        path = self._path(name)
        inside = path.is_relative_to(self.workspace.resolve())
        return path if inside and path.is_file() and name != "train" else None

    def _path(self, name: str) -> Path:
        return (self.workspace / name).resolve()

    @cached_property
    def _train(self) -> Any:
        return _load(self.data.train)

    @cached_property
    def _validation(self) -> Any:
        return _load(self.data.validation)


def _load(path: Path | IO[bytes]) -> Any:
    import datasets
    import pyarrow.json as arrow_json

    return datasets.Dataset(arrow_json.read_json(path))


def _save(dataset: Any, path: Path) -> None:
    """Write to disk without the library's progress bars: only the command line talks."""
    from datasets.utils.logging import disable_progress_bar

    disable_progress_bar()
    dataset.save_to_disk(str(path))


def _rows_read(recipe: DataRecipe, sources: Mapping[str, Any]) -> int:
    return sum(len(sources[source.id]) for source in recipe.sources)


def _content_hash(columns: list[list[str]]) -> str:
    hasher = hashlib.sha256()
    for row in zip(*columns, strict=True):
        for text in row:
            data = str(text).encode("utf-8", "surrogatepass")
            hasher.update(len(data).to_bytes(8, "little"))
            hasher.update(data)
    return hasher.hexdigest()


def _kind(cause: Exception) -> FailureKind:
    """Which kind of failure a builder's complaint is; an unknown operator is the plan's fault."""
    text = str(cause).lower()
    if "no row" in text or "left none" in text or "empty" in text:
        return "DATA_EMPTY"
    if "column" in text:
        return "DATA_SCHEMA"
    return "PLAN_INVALID"
