"""ProgramDoor: `--agent path/to/agent.toml`: any program, by the Lab's socket."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ft_bench.doors.agent_file import (
    AgentFile,
    folder_digest,
    options_model,
    read_agent_file,
)
from ft_bench.doors.host import Program, host
from ft_bench.errors import PrerequisiteError
from ft_bench.lab import MeteredLab
from ft_bench.protocols import LLM

__all__ = ["ProgramDoor", "option_variables"]


class ProgramDoor:
    """An agent that is a folder with an `agent.toml`.

    Args:
        path: of the file, or of its folder.

    Attributes:
        name: as the file has it.
        origin: changes with every byte of the folder.
        Options: checks `-A key=value`.
    """

    def __init__(self, path: Path) -> None:
        self.path = (path / "agent.toml" if path.is_dir() else path).resolve()
        self.file: AgentFile = read_agent_file(self.path)
        self.folder = self.path.parent
        self.name = self.file.name
        self.origin = f"{self.file.version} {folder_digest(self.folder)}".strip()
        self.Options = options_model(self.file.options)

    def make(self, options: BaseModel, backend: Any, isolation: str) -> _ProgramAgent:
        """The agent of one run."""
        return _ProgramAgent(self, options, backend, isolation)


class _ProgramAgent:
    def __init__(
        self, door: ProgramDoor, options: BaseModel, llm: LLM | None, isolation: str
    ) -> None:
        self.name, self._door, self._llm = door.name, door, llm
        self._options, self._isolation = options, isolation

    def run(self, lab: MeteredLab) -> None:
        """Start the program beside the Lab, and wait until all of it is dead."""
        file, folder = self._door.file, self._door.folder
        program = Program(
            command=tuple(part.replace("{agent}", str(folder)) for part in file.command),
            visible=(folder,),
            env={**_inherited(file), **file.env, **option_variables(self._options)},
            seconds=file.timeout,
            limits=file.limits.limits(),
            words=(folder / file.prompt).read_text("utf-8") if file.prompt else "",
        )
        host(lab, program, self._isolation, llm=self._llm)


def option_variables(options: BaseModel) -> dict[str, str]:
    """Options as a program finds them: `lr` is FT_BENCH_OPTION_LR."""
    return {
        f"FT_BENCH_OPTION_{name.upper()}": str(value)
        for name, value in options.model_dump(mode="json").items()
    }


def _inherited(file: AgentFile) -> dict[str, str]:
    missing = [name for name in file.inherit if name not in os.environ]
    if missing:
        raise PrerequisiteError(
            f"agent {file.name} needs {', '.join(missing)} in the environment; set and export it"
        )
    return {name: os.environ[name] for name in file.inherit}
