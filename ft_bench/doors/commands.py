"""Commands: programs that a confined agent has run, in cells of their own beside its own.

An agent under `process` or `bwrap` cannot confine a further program as well as it is confined
itself: a namespace within its own needs what its own forbids, and without one the program would
have the agent's socket, token and files. So the harness starts it, as it starts the agent.
"""

from __future__ import annotations

import os
import stat
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ft_bench import registry
from ft_bench.doors.verbs import VERBS, Verb
from ft_bench.errors import BudgetExhausted, UsageError
from ft_bench.lab import MeteredLab
from ft_bench.protocols import Cell, Confined, Ended, Limits, Sandbox

__all__ = ["Command", "Commands"]

_MOST = Limits()
_MOST_OUTPUT = 1 << 20
_STRENGTH = ("none", "process", "bwrap")
_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Command(BaseModel):
    """A program to be run in a folder of the workspace; without one, whether one could be.

    `folder` is a folder that lies in the workspace itself, the only one that the program may write.
    It sees the task's data, the system and Python; `hidden` are folders that are empty for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sandbox: Literal["process", "bwrap"]
    command: tuple[str, ...] = Field(default=(), max_length=1000)
    folder: str = Field(default="", pattern=r"^([A-Za-z0-9_][\w.-]*)?$", max_length=100)
    env: dict[Annotated[str, Field(pattern=_NAME)], str] = Field(default={}, max_length=100)
    hidden: tuple[str, ...] = Field(default=(), max_length=100)
    seconds: float = Field(default=_MOST.seconds, gt=0, le=_MOST.seconds)
    memory_bytes: int = Field(default=_MOST.memory_bytes, gt=0, le=_MOST.memory_bytes)
    processes: int = Field(default=_MOST.processes, gt=0, le=_MOST.processes)
    file_bytes: int = Field(default=_MOST.file_bytes, gt=0, le=_MOST.file_bytes)
    disk_bytes: int = Field(default=_MOST.disk_bytes, gt=0, le=_MOST.disk_bytes)

    def limits(self, wall_seconds: float) -> Limits:
        """As a sandbox takes them, within what is left of the run."""
        return Limits(
            seconds=min(self.seconds, wall_seconds),
            memory_bytes=self.memory_bytes,
            processes=self.processes,
            file_bytes=self.file_bytes,
            disk_bytes=self.disk_bytes,
        )


class Commands:
    """The programs of one agent, one at a time. Thread-safe.

    Args:
        isolation: the agent's own; no program of its is confined less.
    """

    def __init__(self, isolation: str) -> None:
        self._isolation = isolation
        self._alone, self._lock = threading.Lock(), threading.Lock()
        self._running: Confined | None = None
        self._closed = False

    @property
    def verbs(self) -> Mapping[str, Verb]:
        """All verbs of the Lab, and `command`."""
        return {**VERBS, "command": Verb(Command, self.answer)}

    def answer(self, lab: MeteredLab, asked: Command) -> Any:
        """Run a program to its end: what it wrote, head and tail, and how it ended.

        Raises:
            UsageError: for a sandbox weaker than the agent's own, or a folder that is none.
            BudgetExhausted: where no wall-clock time is left.
            PrerequisiteError: where this machine cannot confine it.
        """
        sandbox = self._sandbox(asked.sandbox)
        if not asked.command:
            sandbox.check()
            return None
        left = lab.ledger.wall_left()
        if left <= 0:
            raise BudgetExhausted("wall_seconds", "no wall-clock time is left for a command")
        with self._alone, tempfile.TemporaryFile() as output:
            ended = self._ended(sandbox, asked, _cell(lab, asked, left), output.fileno())
            return {"output": _text(output.fileno()), "ended": asdict(ended)}

    def close(self) -> None:
        """End the program that runs, and start no other."""
        with self._lock:
            self._closed, running = True, self._running
        if running is not None:
            running.kill()

    def _sandbox(self, name: str) -> Sandbox:
        if _STRENGTH.index(name) < _STRENGTH.index(self._isolation):
            raise UsageError(
                f"the sandbox {name!r} is weaker than --isolation {self._isolation}, which the "
                f"agent has itself; choose {self._isolation!r}"
            )
        found: Sandbox = registry.backend("sandbox", name)()
        return found

    def _ended(self, sandbox: Sandbox, asked: Command, cell: Cell, output: int) -> Ended:
        told = [f"{name}={value}" for name, value in asked.env.items()]
        with self._lock:
            if self._closed:
                raise UsageError("the agent has ended; no further command is run for it")
            # What the agent puts into the environment is set where its folder is known to be its.
            running = self._running = sandbox.start(
                ["/usr/bin/env", *told, *asked.command], cell, stdout=output, stderr=output
            )
        try:
            return running.wait()
        finally:
            with self._lock:
                self._running = None


def _cell(lab: MeteredLab, asked: Command, wall_seconds: float) -> Cell:
    brief = lab.brief
    folder = brief.workspace.resolve() / asked.folder
    status = os.lstat(folder) if asked.folder and os.path.lexists(folder) else None
    if status is None or not stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{asked.folder!r} is no folder of the workspace; make it first")
    return Cell(
        workspace=folder,
        visible=(brief.train, brief.validation),
        hidden=(
            lab.paths.root.parent,
            lab.setting.data.test.parents[1],
            *(Path(path) for path in asked.hidden if path.startswith("/")),
        ),
        pinned=(status.st_dev, status.st_ino),
        limits=asked.limits(wall_seconds),
    )


def _text(output: int) -> str:
    """What was written, its middle left out where it is long; bytes that are no text survive."""
    size, half = os.fstat(output).st_size, _MOST_OUTPUT // 2
    data = os.pread(output, min(size, half), 0)
    if size > 2 * half:
        data += b"\n...\n"
    if size > half:
        rest = min(half, size - half)
        data += os.pread(output, rest, size - rest)
    return data.decode("utf-8", "surrogateescape")
