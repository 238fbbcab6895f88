"""Session: all processes that descend from one job, and how to end every one of them.

A job leads its own session, so whatever it starts shares the session's number unless it takes
pains to leave. Where there is no `/proc`, the process group alone is looked at.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["alive", "die_with_parent", "end"]

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.02
_PROC = Path("/proc")


def die_with_parent(number: int) -> None:
    """Ask the kernel to send this process signal `number` when the thread that made it ends.

    Linux only; elsewhere the closed pipe has to do.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def alive(session: int) -> list[int]:
    """The processes of a session or process group that are not yet dead; zombies count as dead."""
    if not _PROC.joinpath("self/stat").exists():
        return [session] if _signal_group(session, 0) else []
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and _belongs(entry, session):
            found.append(int(entry.name))
    return found


def end(session: int, grace_seconds: float = 1.0, patience_seconds: float = 10.0) -> list[int]:
    """End every process of a session: SIGTERM, after `grace_seconds` SIGKILL.

    Args:
        session: the process id of the session's leader.
        grace_seconds: how long they may take to leave by themselves.
        patience_seconds: how long to wait for the kernel after SIGKILL.

    Returns:
        The processes that are still there: an empty list unless the kernel cannot end one.
    """
    for number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, patience_seconds)):
        until = time.monotonic() + seconds
        sent: set[int] = set()
        while rest := alive(session):
            # SIGKILL again each time: one may have forked just before it died.
            fresh = [pid for pid in rest if number == signal.SIGKILL or pid not in sent]
            for pid in fresh:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            sent.update(fresh)
            if time.monotonic() > until:
                break
            time.sleep(_POLL_SECONDS)
        if not rest:
            return []
    return alive(session)


def _belongs(entry: Path, session: int) -> bool:
    try:
        text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # it ended while we looked
        return False
    # The command's name is in brackets and may hold anything, so count from the last bracket.
    state, _, group, leader = text.rpartition(")")[2].split()[:4]
    return state not in "ZX" and session in (int(group), int(leader))


def _signal_group(session: int, number: int) -> bool:
    try:
        os.killpg(session, number)
    except ProcessLookupError:
        return False
    return True
