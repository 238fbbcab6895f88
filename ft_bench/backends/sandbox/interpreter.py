"""Interpreter: the folders that this Python needs to run elsewhere with all its packages."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

__all__ = ["interpreter_paths"]


@cache
def interpreter_paths() -> tuple[Path, ...]:
    """Prefixes, and the packages of every source folder on the search path, as they are named.

    A source folder is a checkout that was installed as editable. Only its packages and modules are
    listed: beside them may lie runs, results and keys.
    """
    prefixes = [Path(sys.prefix), Path(sys.base_prefix)]
    # A virtual environment names its interpreter by a chain of links through other folders.
    prefixes += [link.parent.parent for link in _links(Path(sys.executable))]
    found = list(dict.fromkeys(prefixes))
    for entry in map(Path, filter(None, sys.path)):
        if not entry.exists():
            continue
        if not any(entry.is_relative_to(prefix) for prefix in prefixes):
            found += _importable(entry)
        found += _linked(entry)
    return tuple(dict.fromkeys(found))


def _links(executable: Path) -> list[Path]:
    chain = []
    while executable.is_symlink():
        executable = executable.parent / executable.readlink()
        chain.append(executable)
    return [link for link in chain if link.parent.name == "bin"]


def _importable(entry: Path) -> list[Path]:
    """What of a folder or zip on the search path is to be seen; all of it where pip fills it."""
    if entry.is_file() or _is_filled_by_pip(entry):
        return [entry]
    return [
        child
        for child in sorted(entry.iterdir())
        if child.suffix in (".py", ".so") or (child / "__init__.py").is_file()
    ]


def _linked(entry: Path) -> list[Path]:
    """Where the links in a folder of packages lead: some installers fill it with links."""
    if not entry.is_dir():
        return []
    targets = {child.resolve() for child in entry.iterdir() if child.is_symlink()}
    folders = {path.parent for path in targets if _is_filled_by_pip(path.parent)}
    return sorted(folders) + sorted(path for path in targets if path.parent not in folders)


def _is_filled_by_pip(folder: Path) -> bool:
    return folder.is_dir() and any(child.suffix == ".dist-info" for child in folder.iterdir())
