"""Wire: how a program talks to its Lab: one JSON object a line over a local socket.

```
program -> Lab   {"token": "...", "verb": "evaluate", "args": {"model": "n0v0"}}
Lab -> program   {"ok": true, "value": {...}}
                 {"ok": false, "error": {"kind": "BudgetExhausted", "message": "...",
                                         "exit_code": 4, "limit": "device_seconds"}}
```
This module needs the standard library alone, so that `ft-bench lab` starts at once.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, get_args

from ft_bench.errors import (
    BudgetExhausted,
    FailureKind,
    FtBenchError,
    IntegrityError,
    JobFailed,
    MessageRefused,
    PlanInvalid,
    PlanRefused,
    PrerequisiteError,
    TokenRefused,
    UsageError,
)

__all__ = [
    "LAB_VARIABLE",
    "MAX_MESSAGE",
    "TOKEN_VARIABLE",
    "Line",
    "address",
    "bind",
    "error_data",
    "error_of",
    "read_line",
]

LAB_VARIABLE, TOKEN_VARIABLE = "FT_BENCH_LAB", "FT_BENCH_TOKEN"
MAX_MESSAGE = 8 << 20
"""The longest request in bytes; answers may be longer."""

_CHUNK = 1 << 16
_LONGEST_NAME = 100  # the kernel takes 107 bytes of a socket's path
_PATIENCE_SECONDS = 30.0
_SIMPLE: tuple[type[FtBenchError], ...] = (
    PlanRefused,
    PlanInvalid,
    PrerequisiteError,
    TokenRefused,
    IntegrityError,
    UsageError,
)


@contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """A name of `path` that is short enough for the kernel, whatever its length."""
    if len(os.fsencode(path)) <= _LONGEST_NAME:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def bind(path: Path) -> socket.socket:
    """A listening socket at `path`, for its owner only; what was there before is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _reachable(path) as name:
        listener.bind(name)
    path.chmod(0o600)
    listener.listen(64)
    return listener


def address(environment: Mapping[str, str]) -> tuple[Path, str]:
    """Where the Lab is and the token that opens it, from a program's environment.

    Raises:
        PrerequisiteError: where this process was not started by a run.
    """
    found = [environment.get(name, "") for name in (LAB_VARIABLE, TOKEN_VARIABLE)]
    if not all(found):
        raise PrerequisiteError(
            f"{LAB_VARIABLE} and {TOKEN_VARIABLE} are not set, so there is no Lab to talk to; "
            "expected a program that `ft-bench eval --agent agent.toml` started"
        )
    return Path(found[0]), found[1]


def read_line(stream: socket.socket, held: bytearray, limit: int) -> bytes | None:
    """The next line, None at the end of the stream; `held` keeps what came after it.

    Raises:
        MessageRefused: "too large", once over `limit` bytes came without a line's end. The rest
            is not read.
    """
    seen = 0
    while (end := held.find(b"\n", seen)) < 0:
        seen = len(held)
        if seen > limit:
            raise _too_large(limit)
        data = stream.recv(_CHUNK)
        if not data:
            return None
        held += data
    if end > limit:
        raise _too_large(limit)
    line = bytes(held[:end])
    del held[: end + 1]
    return line


def _too_large(limit: int) -> MessageRefused:
    return MessageRefused(
        "too large",
        f"a message is longer than {limit:,} bytes, the most that is taken; leave large data as a "
        "file in the workspace and name it in the recipe",
    )


class Line:
    """One connection to a Lab. Not thread-safe.

    Args:
        path: of the socket.
        token: of the run.

    Raises:
        PrerequisiteError: where nobody listens there.
    """

    def __init__(self, path: Path, token: str) -> None:
        self._token, self._held = token, bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _reachable(path) as name:
                self._socket.connect(name)
        except OSError as cause:
            self._socket.close()
            raise PrerequisiteError(
                f"no Lab answers at {path} ({cause.strerror}); its run has ended"
            ) from cause

    def ask(self, verb: str, args: Mapping[str, Any]) -> Any:
        """The value of a verb; a refusal for haste alone is waited out.

        Raises:
            FtBenchError: what the Lab answered, as the class it has in the harness.
        """
        request = json.dumps({"token": self._token, "verb": verb, "args": args}).encode() + b"\n"
        until, pause = time.monotonic() + _PATIENCE_SECONDS, 0.05
        while True:
            answer = self._exchange(request)
            if answer.get("ok"):
                return answer.get("value")
            error = error_of(answer.get("error") or {})
            hasty = isinstance(error, MessageRefused) and error.why == "too many"
            if not hasty or time.monotonic() > until:
                raise error
            time.sleep(pause)
            pause = min(1.0, 2 * pause)

    def _exchange(self, request: bytes) -> dict[str, Any]:
        with suppress(OSError):  # refused midway: the reason stands in the answer
            self._socket.sendall(request)
        try:
            line = read_line(self._socket, self._held, 1 << 40)
        except OSError:
            line = None
        if line is None:
            raise PrerequisiteError("the Lab closed the connection; its run has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def error_data(error: FtBenchError) -> dict[str, Any]:
    """An error as it goes over the wire: kind, message, exit code and what the class holds."""
    data = {
        "kind": type(error).__name__,
        "message": str(error),
        "exit_code": error.exit_code,
    }
    match error:
        case BudgetExhausted():
            return {**data, "limit": error.limit}
        case JobFailed():
            return {**data, "failure": error.kind, "cause": error.cause}
        case MessageRefused():
            return {**data, "why": error.why}
        case _:
            return data


def error_of(data: Mapping[str, Any]) -> FtBenchError:
    """The error that `error_data` described; an unknown kind, one with its exit code."""
    kind, message = data.get("kind"), str(data.get("message", "the Lab gave no reason"))
    if kind == "BudgetExhausted":
        return BudgetExhausted(str(data.get("limit", "")), message)
    if kind == "JobFailed" and data.get("failure") in get_args(FailureKind):
        return JobFailed(data["failure"], str(data.get("cause", message)))
    if kind == "MessageRefused" and data.get("why") in ("malformed", "too large", "too many"):
        return MessageRefused(data["why"], message)
    for known in _SIMPLE:
        if kind == known.__name__:
            return known(message)
    alike = {known.exit_code: known for known in (UsageError, PrerequisiteError, IntegrityError)}
    return alike.get(data.get("exit_code", 1), FtBenchError)(message)
