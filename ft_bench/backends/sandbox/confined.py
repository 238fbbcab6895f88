"""Confined: the harness's end of one started program; talks to its warden."""

from __future__ import annotations

import json
import secrets
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, cast

from ft_bench.backends.sandbox import kin
from ft_bench.backends.sandbox.warden import Order
from ft_bench.errors import IntegrityError, PrerequisiteError
from ft_bench.protocols import Cell, Ended

__all__ = [
    "WardedProgram",
    "behind_shell",
    "check",
    "environment",
    "limited",
    "order_of",
    "start",
]

_PATH = "/usr/local/bin:/usr/bin:/bin"
_PINNED = 'test -z "$1" || test "$(/usr/bin/stat -c %d:%i .)" = "$1" || exit 125; shift; '
_LIMITED = f'{_PINNED}ulimit -u "$0" 2>/dev/null || ulimit -p "$0" 2>/dev/null; exec "$@"'
_PLAIN = f'{_PINNED}exec "$@"'
_START_SECONDS = 60.0
_KILL_SECONDS = 30.0
Reason = Literal["exit", "signal", "killed", "time", "memory", "disk", "processes"]


def environment(cell: Cell) -> dict[str, str]:
    """All that a confined program finds in its environment."""
    home = str(cell.workspace)
    tools = f"{Path(sys.prefix, 'bin')}:{_PATH}"
    own = {"HOME": home, "PATH": tools, "LANG": "C.UTF-8", "USER": "agent", "LOGNAME": "agent"}
    return {**own, "TMPDIR": "/tmp", **cell.env}


def limited(command: Sequence[str], cell: Cell) -> list[str]:
    """As `behind_shell`, with the kernel's limit on processes."""
    return ["/bin/sh", "-c", _LIMITED, str(cell.limits.processes), _pin(cell), *command]


def behind_shell(command: Sequence[str], cell: Cell) -> list[str]:
    """The command behind a shell that tells 126 or 127, and 125 for another workspace."""
    return ["/bin/sh", "-c", _PLAIN, "sh", _pin(cell), *command]


def _pin(cell: Cell) -> str:
    return "{}:{}".format(*cell.pinned) if cell.pinned else ""


def order_of(command: Sequence[str], cell: Cell, env: Mapping[str, str]) -> Order:
    """The order for a program within all of a cell's limits."""
    limits = cell.limits
    return Order(
        command=list(command),
        env=dict(env),
        cwd=str(cell.workspace),
        workspace=str(cell.workspace),
        seconds=limits.seconds,
        memory_bytes=limits.memory_bytes,
        processes=limits.processes,
        file_bytes=limits.file_bytes,
        disk_bytes=limits.disk_bytes,
    )


def check() -> None:
    """Whether processes can be found here.

    Raises:
        PrerequisiteError: where there is no `/proc`.
    """
    if not Path("/proc/self/stat").exists():
        raise PrerequisiteError(
            f"a sandbox needs Linux with /proc, this is {sys.platform}; run an agent that is a "
            "Python entry point with --isolation none"
        )


def start(order: Order, streams: Sequence[int | None]) -> WardedProgram:
    """Start a warden with an order.

    Raises:
        PrerequisiteError: where there is no `/proc`, or the program's first file is missing.
    """
    check()
    ours, theirs = socket.socketpair()
    stdin, stdout, stderr = (subprocess.DEVNULL if fd is None else fd for fd in streams)
    with theirs:
        warden = subprocess.Popen(
            [sys.executable, "-I", "-m", "ft_bench.backends.sandbox.warden", str(theirs.fileno())],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=(theirs.fileno(),),
            env={"PATH": _PATH, "LANG": "C.UTF-8"},
            cwd="/",
            start_new_session=True,
        )
    program = WardedProgram(warden, ours)
    program.begin(order)
    return program


class WardedProgram:
    """A program whose parent is a warden process. Thread-safe."""

    def __init__(self, warden: subprocess.Popen[bytes], control: socket.socket) -> None:
        self.pid = warden.pid
        self._warden, self._control = warden, control
        self._reading, self._heard = threading.Lock(), b""
        self._ended: Ended | None = None
        self._mark = f"FT_BENCH_CELL={secrets.token_hex(8)}"

    def begin(self, order: Order) -> None:
        """Send the order and hear that the program runs.

        Raises:
            PrerequisiteError: where it does not.
            IntegrityError: where the warden was killed.
        """
        name, _, value = self._mark.partition("=")
        marked = replace(order, env={**order.env, name: value})
        self._control.sendall(json.dumps(asdict(marked)).encode() + b"\n")
        answer = self._line(time.monotonic() + _START_SECONDS)
        if answer is None:
            raise self._lost()
        if "error" in answer:
            self._close()
            raise PrerequisiteError(f"the program cannot be started: {answer['error']}")

    def wait(self, timeout: float | None = None) -> Ended:
        """Wait until the program and everything it started is dead."""
        until = None if timeout is None else time.monotonic() + timeout
        if not self._reading.acquire(timeout=-1 if timeout is None else max(0.0, timeout)):
            raise TimeoutError(f"the program still runs after {timeout:g} s")
        try:
            if self._ended is None:
                self._ended = self._hear_the_end(until)
            return self._ended
        finally:
            self._reading.release()

    def kill(self) -> None:
        """End the program and everything it started; returns once all of it is dead."""
        if self._ended is None:
            with suppress(OSError):  # the warden may have gone; wait finds out what it left
                self._control.shutdown(socket.SHUT_WR)
            self.wait(_KILL_SECONDS)

    def _hear_the_end(self, until: float | None) -> Ended:
        report = self._line(until)
        if report is None:
            raise self._lost()
        self._close()
        if report["left"]:
            raise IntegrityError(
                f"the processes {report['left']} of a confined program could not be ended; kill "
                "them by hand"
            )
        return Ended(report["returncode"], cast(Reason, report["reason"]), report["strays"])

    def _lost(self) -> IntegrityError:
        """The warden ended without a word: what can be found of its program is killed."""
        self._close()
        kin.end_marked(self._mark)
        return IntegrityError(
            "the warden of a confined program was killed, so nobody knows what that program "
            "left behind; run it with --isolation bwrap, where it cannot see its warden"
        )

    def _line(self, until: float | None) -> dict[str, Any] | None:
        """The next message of the warden; None where it ended without one."""
        while b"\n" not in self._heard:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not select.select([self._control], [], [], left)[0]:
                raise TimeoutError("the program still runs")
            data = self._control.recv(1 << 16)
            if not data:
                return None
            self._heard += data
        line, _, self._heard = self._heard.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def _close(self) -> None:
        self._control.close()
        self._warden.wait()
