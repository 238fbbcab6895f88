"""PythonAgent: an agent that is a class: an entry point, or `path/to/file.py:Class`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from ft_bench import registry
from ft_bench.digest import file_sha256
from ft_bench.errors import DataMissing, PrerequisiteError, UsageError, boundary

__all__ = ["absolute", "imported", "is_file", "load_agent", "origin_of", "source_of"]


def is_file(given: str) -> bool:
    """Whether an agent is named by a Python file."""
    return given.partition(":")[0].endswith(".py")


def load_agent(given: str) -> Any:
    """The class of an agent.

    Raises:
        UnknownName: where no entry point has this name.
        UsageError: where the file holds no such class, or the class is no agent.
        PrerequisiteError: where the file cannot be imported.
    """
    if not is_file(given):
        return registry.load("agents", given)
    path, _, name = given.partition(":")
    module = imported(Path(path).resolve())
    found = getattr(module, name, None)
    missing = [part for part in ("name", "Options", "run") if not hasattr(found, part)]
    if found is None or missing:
        why = f"has no {', '.join(missing)}" if found is not None else "is not in it"
        raise UsageError(f"--agent {given!r}: {name or 'the class'} {why}; write {path}:Class")
    return found


def imported(path: Path) -> Any:
    """Import a Python file that is not on the search path."""
    if not path.is_file():
        raise DataMissing(f"{path} is not there; expected the file of a Python agent")
    name = f"ft_bench_agent_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with boundary(PrerequisiteError, f"{path} was imported"):
        spec.loader.exec_module(module)
    return module


def origin_of(given: str) -> str:
    """What tells two versions of an agent apart: its distribution, or the hash of its file."""
    if is_file(given):
        return file_sha256(Path(given.partition(":")[0]).resolve())
    return registry.origin("agents", given)


def absolute(given: str) -> str:
    """The same agent, named so that it is found from any working directory."""
    path, colon, name = given.partition(":")
    return f"{Path(path).resolve()}{colon}{name}" if is_file(given) else given


def source_of(given: str) -> tuple[Path, ...]:
    """What a confined process must see besides the packages that Python finds by itself."""
    return (Path(given.partition(":")[0]).resolve(),) if is_file(given) else ()
