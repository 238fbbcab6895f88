"""InspectDoor: `--agent inspect:package/agent -A model=...`: an Inspect agent with the Lab's tools.

It runs in a process of its own: Inspect refuses an evaluation within another, and takes seconds to
import. What its model uses is reserved and settled at the Lab, request by request.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ft_bench.digest import file_sha256
from ft_bench.doors.foreign import inherited, name_of
from ft_bench.doors.host import Program, host
from ft_bench.doors.python_agent import absolute, is_file, source_of
from ft_bench.errors import DataMissing, UsageError
from ft_bench.files import write_json
from ft_bench.lab import MeteredLab

__all__ = ["InspectDoor"]

_SPEC = "inspect.json"


class _Options(BaseModel):
    """What `-A` may set.

    `model` is Inspect's name of one. `messages` ends the conversation; `tokens` is the most that
    one request may use, set aside before it. `inherit` names keys of the caller's environment;
    `network` lets the program out, for a model behind an API.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    messages: int = Field(default=200, ge=1)
    tokens: int = Field(default=32_000, ge=1)
    inherit: str = ""
    network: bool = False
    timeout: float = Field(default=86_400.0, gt=0)


class InspectDoor:
    """An Inspect agent.

    Args:
        given: "package/agent", as Inspect registers it, or "path/to/file.py:agent".
    """

    Options: type[BaseModel] = _Options

    def __init__(self, given: str) -> None:
        path, _, function = given.partition(":")
        if is_file(given):
            if not Path(path).is_file():
                raise DataMissing(f"{path} is not there; expected the file of an Inspect agent")
            self.origin = f"inspect {file_sha256(Path(path))}"
            self.name = name_of(Path(function or Path(path).stem))
        else:
            package, slash, agent = given.partition("/")
            if not (package and slash and agent):
                raise UsageError(
                    f"--agent inspect:{given} names no agent; write inspect:package/agent or "
                    "inspect:path/to/file.py:agent"
                )
            self.origin = f"inspect {given} {_version(package)}"
            self.name = name_of(Path(f"{package}.{agent}"))
        self.given = given

    def make(self, options: BaseModel, backend: Any, isolation: str) -> _Agent:
        """The agent of one run."""
        return _Agent(self.given, _Options.model_validate(options.model_dump()), isolation)


def _version(package: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


class _Agent:
    def __init__(self, given: str, options: _Options, isolation: str) -> None:
        self._given, self._options, self._isolation = given, options, isolation

    def run(self, lab: MeteredLab) -> None:
        """Run the agent as an Inspect solver beside the Lab."""
        if lab.setting.budget.usd is not None:
            raise UsageError(
                "--budget.usd cannot be kept for Inspect's models, whose prices are not known "
                "here; limit them by --budget.tokens"
            )
        spec = lab.brief.workspace / _SPEC
        options = self._options.model_dump(mode="json", include={"model", "messages", "tokens"})
        write_json(spec, {"agent": absolute(self._given), **options})
        program = Program(
            command=(sys.executable, "-m", "ft_bench.doors.inspect_child", str(spec)),
            visible=source_of(self._given),
            env={"PYTHONDONTWRITEBYTECODE": "1", **inherited(self._options.inherit)},
            seconds=self._options.timeout,
            network=self._options.network,
        )
        host(lab, program, self._isolation)
