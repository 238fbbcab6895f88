"""Shell: a model's commands in a sandbox without network; nothing of theirs outlives a call."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ft_bench.protocols import Cell, Ended, Limits, Sandbox

__all__ = ["Shell", "clip"]

MOST_CHARACTERS = 8_000
_REASONS = {
    "time": "it ran out of time and was stopped",
    "memory": "it used too much memory and was stopped",
    "disk": "it filled its disk and was stopped",
    "processes": "it started too many processes and was stopped",
    "signal": "it was ended by a signal",
    "killed": "it was stopped",
}


@dataclass(frozen=True)
class Shell:
    """Runs commands in a workspace.

    Args:
        sandbox: what confines them.
        workspace: the only folder that they can write, and where they start.
        visible: what they see besides, read-only.
        path: folders of modules for their Python, before its own.
        hidden: folders that are empty for them.
        limits: of one command; its time is given with each.
    """

    sandbox: Sandbox
    workspace: Path
    visible: tuple[Path, ...]
    path: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def run(self, command: str, seconds: float) -> tuple[str, bool]:
        """Run a command by bash: what it wrote, clipped, with how it ended; and whether well."""
        with tempfile.TemporaryFile() as output:
            confined = self.sandbox.start(
                ["bash", "-c", command],
                self._cell(seconds),
                stdin=None,
                stdout=output.fileno(),
                stderr=output.fileno(),
            )
            ended = confined.wait()
            text = _text(output.fileno())
        ok = ended.reason == "exit" and ended.returncode == 0
        return f"{clip(text)}\n[{_how(ended, seconds)}]".lstrip("\n"), ok

    def _cell(self, seconds: float) -> Cell:
        limits = Limits(
            seconds=seconds,
            memory_bytes=self.limits.memory_bytes,
            processes=self.limits.processes,
            file_bytes=self.limits.file_bytes,
            disk_bytes=self.limits.disk_bytes,
        )
        return Cell(
            workspace=self.workspace,
            visible=self.visible,
            hidden=self.hidden,
            network=False,
            env=_environment(self.path),
            limits=limits,
        )


def _environment(path: Sequence[Path]) -> Mapping[str, str]:
    """Fixed, so that a command does the same on every machine; no key of the harness is in it."""
    return {
        "PYTHONPATH": os.pathsep.join(str(folder) for folder in path),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_HOME": "/tmp/huggingface",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "NUMBA_CACHE_DIR": "/tmp/numba",
        "OMP_NUM_THREADS": "2",
    }


def _how(ended: Ended, seconds: float) -> str:
    if ended.reason == "exit":
        return f"exit {ended.returncode}"
    limit = f" after {seconds:g} s" if ended.reason == "time" else ""
    return _REASONS[ended.reason] + limit


def _text(output: int) -> str:
    """What was written, its middle left out where it is long."""
    size = os.fstat(output).st_size
    half = 4 * MOST_CHARACTERS
    if size <= 2 * half:
        return os.pread(output, size, 0).decode("utf-8", "replace")
    head = os.pread(output, half, 0).decode("utf-8", "replace")
    tail = os.pread(output, half, size - half).decode("utf-8", "replace")
    return f"{head}\n...\n{tail}"


def clip(text: str, most: int = MOST_CHARACTERS) -> str:
    """The head and the tail of a long text, with how much is left out between them."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"
