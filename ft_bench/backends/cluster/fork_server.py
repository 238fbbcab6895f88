"""Fork server: a process that has imported the heavy libraries and forks one child per job.

A child starts with everything imported and nothing used: no model, no CUDA context, no random
state of another job. The harness and the server speak JSON lines over the server's stdin and
stdout:

```
harness -> server   {"id": 3, "job": "/run/.../job.json", "environment": {...}}
server -> harness   {"ready": true}    {"id": 3, "pid": 4711}    {"id": 3, "status": 0, ...}
```

When stdin closes, or SIGTERM comes because the harness died, every child is killed at once.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from ft_bench.backends.cluster import session

__all__ = ["main"]

_READ_BYTES = 1 << 16


class _Server:
    """The loop of the server: requests in, children out, deaths reported."""

    def __init__(self, requests: int, replies: int) -> None:
        self._requests, self._replies = requests, replies
        self._children: dict[int, int] = {}
        self._buffer = b""
        self._wake_in, self._wake_out = os.pipe()

    def serve(self) -> None:
        """Serve until stdin closes; then every child is dead."""
        os.set_blocking(self._wake_out, False)
        os.set_blocking(self._wake_in, False)
        signal.set_wakeup_fd(self._wake_out, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self.leave())
        self._reply({"ready": True})
        while True:
            readable, _, _ = select.select([self._requests, self._wake_in], [], [])
            if self._wake_in in readable:
                with suppress(BlockingIOError):
                    os.read(self._wake_in, _READ_BYTES)
            self._bury()
            if self._requests in readable and not self._read():
                self.leave()

    def leave(self) -> NoReturn:
        """Kill every child with its descendants, and exit."""
        for pid in list(self._children):
            session.end(pid, grace_seconds=0)
        os._exit(0)

    def _read(self) -> bool:
        data = os.read(self._requests, _READ_BYTES)
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._fork(json.loads(line))
        return bool(data)

    def _fork(self, request: dict[str, Any]) -> None:
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_job(request, server)
        self._children[pid] = request["id"]
        self._reply({"id": request["id"], "pid": pid})

    def _become_job(self, request: dict[str, Any], server: int) -> NoReturn:
        code = 70
        try:
            os.setsid()
            session.die_with_parent(signal.SIGKILL)
            if os.getppid() != server:  # it died before the line above
                os._exit(code)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (self._requests, self._replies, self._wake_in, self._wake_out):
                os.close(descriptor)
            os.environ.update(request["environment"])
            code = _run(Path(request["job"]))
        finally:
            # Not sys.exit: this stack is the server's, and its clean-up is not the job's.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _bury(self) -> None:
        while self._children:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            number = self._children.pop(pid, None)
            if number is not None:
                code = os.waitstatus_to_exitcode(status)
                seconds = round(usage.ru_utime + usage.ru_stime, 3)
                self._reply({"id": number, "status": code, "cpu_seconds": seconds})

    def _reply(self, message: dict[str, Any]) -> None:
        os.write(self._replies, json.dumps(message).encode() + b"\n")


def _run(path: Path) -> int:
    """Run the job with its talk in `<out>/log`; the exit status of the child."""
    log = os.open(path.parent / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  it lives as long as the job
    from ft_bench.backends.worker import main as run

    return run([str(path)])


def main(modules: list[str]) -> None:
    """Import `modules`, then serve. Takes stdin and stdout for itself; libraries get stderr.

    A module that cannot be imported is left to the job that needs it, which will say why.
    """
    session.die_with_parent(signal.SIGTERM)
    requests, replies = os.dup(0), os.dup(1)
    os.set_inheritable(requests, False)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    server = _Server(requests, replies)
    for name in modules:
        with suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # children then share these pages instead of copying them
    server.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
