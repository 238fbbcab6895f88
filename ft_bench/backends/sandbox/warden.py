"""Warden: the parent of one confined program. Keeps its limits and ends its whole tree.

Runs as a process of its own, `python -m ft_bench.backends.sandbox.warden FD`, whose standard
streams are the program's. FD is a socket to the harness: an order comes in, a line about the end
goes out, and its closing, by whatever end of the harness, ends the program.
"""

from __future__ import annotations

import base64
import json
import math
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from ft_bench.backends.sandbox import kin

__all__ = ["Order", "Report", "main"]

_POLL_SECONDS = 0.05
_SCAN_SHARE = 0.1
_LONGEST_ORDER = 1 << 24


@dataclass(frozen=True, slots=True)
class Order:
    """What to run and within which limits; None is no limit.

    `own` is how many of the processes belong to the sandbox itself, from the first of them. `told`
    are arguments that the program reads from a file descriptor, whose number replaces "{told}" in
    the command: what stands in a command line, a confined process could read of its sandbox.
    `screen` is a seccomp program in base 64, read in the same way for "{screen}".
    """

    command: list[str]
    env: dict[str, str]
    cwd: str
    workspace: str
    seconds: float
    memory_bytes: int | None = None
    processes: int | None = None
    file_bytes: int | None = None
    disk_bytes: int | None = None
    own: int = 0
    told: tuple[str, ...] = ()
    screen: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """How it ended: as `Ended`, with the processes that could not be killed."""

    returncode: int
    reason: str
    strays: int
    left: list[int]


class _Watch:
    """Looks at a program's processes and names the limit that was passed, "" for none."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.until = time.monotonic() + order.seconds
        self.strays = 0
        self._disk, self._next_scan = 0, 0.0
        self._main: kin.Kin | None = None

    def look(self) -> str:
        """One round over all limits."""
        order, everyone = self.order, kin.kin_of(os.getpid())
        self._count_strays(everyone)
        if time.monotonic() > self.until:
            return "time"
        if order.processes is not None and self._tasks(everyone) > order.processes:
            return "processes"
        if order.memory_bytes is None and order.disk_bytes is None:
            return ""
        unlinked: dict[tuple[int, int], int] = {}
        for member in everyone:
            unlinked.update(kin.unlinked_of(member.pid))
        device = _device(order.workspace)
        memory = sum(size for (dev, _), size in unlinked.items() if dev != device)
        memory += sum(kin.memory_of(member.pid) for member in everyone)
        if order.memory_bytes is not None and memory > order.memory_bytes:
            return "memory"
        disk = sum(size for (dev, _), size in unlinked.items() if dev == device)
        if order.disk_bytes is not None and disk + self._size() > order.disk_bytes:
            return "disk"
        return ""

    def _count_strays(self, everyone: list[kin.Kin]) -> None:
        """How many have lost their parent and lead a life in a session of their own.

        Orphans become children of the warden, or of the first process of their own namespace.
        Once the program itself is dead its children are orphans for a moment: those do not count.
        """
        own, rest = everyone[: self.order.own], everyone[self.order.own :]
        if self._main is None and rest:
            self._main = rest[0]
        if self._main is None or all(member.pid != self._main.pid for member in rest):
            return
        keepers = {os.getpid(), *(member.pid for member in own)}
        self.strays = sum(
            member.parent in keepers and member.session != self._main.session for member in rest
        )

    def _tasks(self, everyone: list[kin.Kin]) -> int:
        return sum(member.threads for member in everyone) - self.order.own

    def _size(self) -> int:
        """Bytes in the workspace; counted again once that has become cheap against the time."""
        begin = time.monotonic()
        if begin >= self._next_scan:
            self._disk = _bytes_under(self.order.workspace)
            taken = time.monotonic() - begin
            self._next_scan = begin + taken / _SCAN_SHARE
        return self._disk


def main() -> int:
    """Run the order that comes in over the socket; always sends a report."""
    with socket.socket(fileno=int(sys.argv[1])) as control:
        kin.become_subreaper()
        with control.makefile("rb") as lines:
            order = Order(**json.loads(lines.readline(_LONGEST_ORDER)))
        try:
            program = _start(order)
        except OSError as cause:
            _tell(control, {"error": f"{order.command[0]}: {cause.strerror}"})
            return 0
        _tell(control, {"pid": program.pid})
        returncode, reason, strays = _attend(order, program.pid, control)
        _tell(control, Report(returncode, reason, strays, kin.end_all(os.getpid())))
    return 0


def _start(order: Order) -> subprocess.Popen[bytes]:
    """The object must be kept: on its way out it would take the end of its process for itself."""
    said = b"".join(text.encode() + b"\0" for text in order.told)
    with _held(said) as told, _held(base64.b64decode(order.screen)) as screen:
        numbers = {"{told}": str(told.fileno()), "{screen}": str(screen.fileno())}
        return subprocess.Popen(
            [numbers.get(part, part) for part in order.command],
            env=order.env,
            cwd=order.cwd,
            pass_fds=(told.fileno(), screen.fileno()) if order.told else (),
            start_new_session=True,
            preexec_fn=lambda: _limit(order),
        )


@contextmanager
def _held(data: bytes) -> Iterator[IO[bytes]]:
    """A file without a name that holds some bytes, to be read from its beginning."""
    with tempfile.TemporaryFile() as stream:
        stream.write(data)
        stream.seek(0)
        yield stream


def _limit(order: Order) -> None:
    """The limits that the kernel keeps by itself."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if order.file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order.file_bytes, order.file_bytes))
        cores = len(os.sched_getaffinity(0))
        seconds = math.ceil(order.seconds * cores) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def _attend(order: Order, program: int, control: socket.socket) -> tuple[int, str, int]:
    """Wait for the end, a limit, or the harness; returns (returncode, reason, strays)."""
    wakeup, bell = os.pipe()
    for end in (wakeup, bell):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(bell, warn_on_full_buffer=False)
    watch = _Watch(order)
    while True:
        ended = kin.reap()
        if program in ended:
            code = os.waitstatus_to_exitcode(ended[program])
            return code, "exit" if code >= 0 else "signal", watch.strays
        if reason := watch.look():
            return -signal.SIGKILL, reason, watch.strays
        wait = min(_POLL_SECONDS, max(0.0, watch.until - time.monotonic()))
        ready = select.select([control.fileno(), wakeup], [], [], wait)[0]
        if control.fileno() in ready:  # closed, or told to stop
            return -signal.SIGKILL, "killed", watch.strays
        if wakeup in ready:
            os.read(wakeup, 4096)


def _device(path: str) -> int:
    try:
        return os.stat(path).st_dev
    except OSError:
        return -1


def _bytes_under(path: str) -> int:
    total, seen = 0, set()
    for folder, _, names in os.walk(path, onerror=lambda _: None):
        for name in names:
            try:
                status = os.lstat(Path(folder, name))
            except OSError:
                continue
            if status.st_nlink > 1:
                if status.st_ino in seen:
                    continue
                seen.add(status.st_ino)
            total += status.st_blocks * 512
    return total


def _tell(control: socket.socket, message: Report | dict[str, Any]) -> None:
    data = asdict(message) if isinstance(message, Report) else message
    try:
        control.sendall(json.dumps(data).encode() + b"\n")
    except OSError:  # the harness is gone; there is nobody to tell
        return


if __name__ == "__main__":
    sys.exit(main())
