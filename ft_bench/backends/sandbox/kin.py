"""Kin: all processes that descend from one, what they use, and how to end every one of them.

A subreaper inherits the orphans among its descendants, so neither a second fork nor a session of
its own takes a process out of sight. Reads `/proc`; works on Linux alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "Kin",
    "become_subreaper",
    "end_all",
    "end_marked",
    "kin_of",
    "memory_of",
    "reap",
    "unlinked_of",
]

_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")
_POLL_SECONDS = 0.01
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Kin:
    """One living process: its parent, its session and how many threads it has."""

    pid: int
    parent: int
    session: int
    threads: int


def become_subreaper() -> None:
    """Ask the kernel to make this process the parent of its orphaned descendants."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kin_of(ancestor: int) -> list[Kin]:
    """The living descendants of a process, parents first; the dead and zombies are left out.

    A zombie's children are looked at all the same: they may live on for a moment.
    """
    children: dict[int, list[tuple[Kin, bool]]] = defaultdict(list)
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (seen := _read(entry)) is not None:
            children[seen[0].parent].append(seen)
    found, queue = [], [ancestor]
    for pid in queue:
        for kin, living in children.get(pid, ()):
            queue.append(kin.pid)
            if living:
                found.append(kin)
    return found


def end_all(ancestor: int, patience_seconds: float = 10.0) -> list[int]:
    """Kill every descendant of the calling process `ancestor` and reap what becomes its child.

    They are stopped before they are killed, so that none of them forks behind our back.

    Returns:
        The processes that are still there: an empty list unless the kernel cannot end one.
    """
    until = time.monotonic() + patience_seconds
    while rest := kin_of(ancestor):
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for kin in rest:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(kin.pid, number)
        reap()
        if time.monotonic() > until:
            return [kin.pid for kin in kin_of(ancestor)]
        time.sleep(_POLL_SECONDS)
    reap()
    return []


def end_marked(mark: str, patience_seconds: float = 10.0) -> None:
    """Kill what has `mark`, "NAME=value", in the environment that it was started with.

    A last resort for processes that have lost their warden: they may have cleared it.
    """
    until = time.monotonic() + patience_seconds
    while (rest := _marked(mark.encode())) and time.monotonic() < until:
        for pid in rest:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)


def _marked(mark: bytes) -> list[int]:
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # a zombie's environment is empty
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def reap() -> dict[int, int]:
    """Take note of every child that has ended: its wait status by its process id."""
    ended: dict[int, int] = {}
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            ended[pid] = status
    return ended


def memory_of(pid: int) -> int:
    """Bytes of a process that no file on disk backs, swap included; 0 once it has ended."""
    total = 0
    with suppress(OSError, ValueError):
        for line in (_PROC / str(pid) / "status").read_text(errors="replace").splitlines():
            if line.startswith(("RssAnon:", "RssShmem:", "VmSwap:")):
                total += int(line.split()[1]) << 10
    return total


def unlinked_of(pid: int) -> dict[tuple[int, int], int]:
    """Bytes that a process holds open in files without a name, by (device, inode).

    A deleted file still fills the disk, and one in memory has no name from the start.
    """
    found: dict[tuple[int, int], int] = {}
    with suppress(OSError):
        for link in (_PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                status = link.stat()
                if status.st_nlink == 0:
                    found[status.st_dev, status.st_ino] = status.st_blocks * _BLOCK
    return found


def _read(entry: Path) -> tuple[Kin, bool] | None:
    try:
        text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # it ended while we looked
        return None
    # The command's name is in brackets and may hold anything, so count from the last bracket.
    fields = text.rpartition(")")[2].split()
    state, parent, session, threads = fields[0], fields[1], fields[3], fields[17]
    return Kin(int(entry.name), int(parent), int(session), int(threads)), state not in "ZX"
