"""Entrant: from what `--agent` names to an agent, whichever door it comes through.

```
trex                      a Python class under the entry-point group `ft_bench.agents`
path/to/file.py:Class     the same without a package
path/to/agent.toml        any program
inspect:package/agent     an Inspect agent
posttrainbench:DIR        an agent of PostTrainBench
autorlbench:DIR           an agent of AutoRL-Bench
```
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from ft_bench import registry
from ft_bench.doors.apart import Apart
from ft_bench.doors.autorlbench import AutoRLBenchDoor
from ft_bench.doors.inspect_door import InspectDoor
from ft_bench.doors.posttrainbench import PostTrainBenchDoor
from ft_bench.doors.program import ProgramDoor
from ft_bench.doors.python_agent import is_file, load_agent, origin_of
from ft_bench.errors import UnknownName
from ft_bench.lab import MeteredLab

__all__ = ["Competitor", "Entrant", "entrant"]


class Competitor(Protocol):
    """Whoever works with a Lab for one run."""

    def run(self, lab: MeteredLab) -> None:
        """Work until done, or until a limit ends it."""
        ...


class Entrant(Protocol):
    """An agent before its run.

    Attributes:
        name: as it stands in the run id.
        origin: changes whenever the agent's code does.
        Options: the model that checks `-A key=value`.
    """

    name: str
    origin: str
    Options: type[BaseModel]

    def make(self, options: BaseModel, backend: Any, isolation: str) -> Competitor:
        """The agent of one run, with its options and its language model."""
        ...


class _PythonDoor:
    """A Python class: in the harness's process, or confined in one of its own."""

    def __init__(self, given: str) -> None:
        self._given, self._agent = given, load_agent(given)
        self.name: str = self._agent.name if is_file(given) else given
        self.origin = origin_of(given)
        self.Options: type[BaseModel] = self._agent.Options

    def make(self, options: BaseModel, backend: Any, isolation: str) -> Competitor:
        """The agent of one run."""
        if isolation == "none":
            made: Competitor = self._agent(options=options, backend=backend)
            return made
        return Apart(self._given, self.name, options, backend, isolation)


_PREFIXES: dict[str, Callable[[str], Entrant]] = {
    "autorlbench": lambda folder: AutoRLBenchDoor(Path(folder)),
    "inspect": InspectDoor,
    "posttrainbench": lambda folder: PostTrainBenchDoor(Path(folder)),
}


def entrant(given: str) -> Entrant:
    """The agent that `--agent` names.

    Raises:
        UnknownName: with the nearest name that exists.
        UsageError, DataMissing: where a file is named that is not there or is no agent.
    """
    prefix, colon, rest = given.partition(":")
    if given in registry.available("agents") or is_file(given):
        return _PythonDoor(given)
    if colon and prefix in _PREFIXES:
        return _PREFIXES[prefix](rest)
    if given.endswith(".toml") or Path(given).is_dir():
        return ProgramDoor(Path(given))
    raise UnknownName("agent", given, registry.available("agents"), "ft-bench plugins list")
