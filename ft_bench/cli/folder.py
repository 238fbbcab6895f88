"""Folder: from what a person calls a run to its directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ft_bench.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from ft_bench.store import RunPaths

__all__ = ["find_run", "find_runs", "runs_folder"]


def runs_folder(given: str | None) -> Path:
    """Where runs are kept: the flag, else as configured."""
    from ft_bench.config import resolve

    config, _ = resolve({"runs_dir": given})
    return config.runs_dir.expanduser()


def find_runs(folder: Path) -> list[RunPaths]:
    """Every run below a folder, newest first."""
    from ft_bench.store import RunPaths

    found = [RunPaths(path.parent) for path in folder.glob("*/run.json")]
    return sorted(found, key=lambda paths: -paths.manifest.stat().st_mtime)


def find_run(name: str, runs_dir: str | None = None) -> RunPaths:
    """A run by its directory, its id, or the beginning of one.

    Raises:
        UsageError: where there are no runs at all.
        UnknownName: where none, or more than one, begins so.
    """
    from ft_bench.store import RunPaths

    if (Path(name) / "run.json").exists():
        return RunPaths(Path(name))
    folder = runs_folder(runs_dir)
    runs = {paths.root.name: paths for paths in find_runs(folder)}
    if name in runs:
        return runs[name]
    if not runs:
        raise UsageError(
            f"There are no runs in {folder}, so none is called {name!r}; expected a run's folder, "
            "or --runs-dir DIR; `ft-bench eval mini` makes one"
        )
    begun = [paths for run, paths in runs.items() if run.startswith(name)]
    if len(begun) != 1:
        raise UnknownName("run", name, runs, "ft-bench runs list")
    return begun[0]
