"""Earlier: the rules that finished runs of other tasks have left, for `--insights DIR`.

The harness knows no agent: a rule is whatever an agent agreed on under the key "insights". Rules
of the same task are left out, so that nothing of it comes round by another run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ft_bench.digest import digest
from ft_bench.errors import FtBenchError, UsageError
from ft_bench.record import Agreed
from ft_bench.store import RunPaths, read_events, read_manifest

__all__ = ["Earlier", "read_earlier"]

_KEY = "insights"
_MOST = 500


@dataclass(frozen=True, slots=True)
class Earlier:
    """The rules, and the runs that they come from."""

    rules: tuple[Mapping[str, Any], ...] = ()
    runs: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """What makes two runs with earlier rules comparable."""
        return digest([dict(rule) for rule in self.rules])

    def data(self) -> dict[str, Any]:
        """As the manifest holds it."""
        return {"digest": self.digest, "runs": list(self.runs), "rules": [*map(dict, self.rules)]}


def read_earlier(folder: Path, task: str) -> Earlier:
    """The last rules of every finished run below a folder that is of another task.

    Raises:
        UsageError: where the folder is not there. A run that cannot be read is passed over.
    """
    if not folder.is_dir():
        raise UsageError(f"--insights {str(folder)!r} is no folder; expected one with runs")
    rules: list[Mapping[str, Any]] = []
    runs = []
    for path in sorted(folder.glob("*/card.json")):
        found = _rules(RunPaths(path.parent), task)
        if found:
            rules += found
            runs.append(path.parent.name)
    return Earlier(tuple(rules[:_MOST]), tuple(runs))


def _rules(paths: RunPaths, task: str) -> list[Mapping[str, Any]]:
    try:
        manifest = read_manifest(paths)
        if manifest.task == task:
            return []
        bodies = [event.body for event in read_events(paths.events)[0]]
    except FtBenchError:
        return []
    found = [body.value for body in bodies if isinstance(body, Agreed) and body.key == _KEY]
    last = found[-1] if found and isinstance(found[-1], list) else []
    return [rule | {"task": manifest.task} for rule in last if isinstance(rule, dict)]
