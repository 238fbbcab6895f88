"""SocketLab: the Lab of one run behind a Unix socket, for programs that may be hostile.

Every message carries the run's token. A message that is malformed, too large, too early or
unauthorised gets one clear error and changes nothing; what it was is noted for the card.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ft_bench.doors.model_desk import ModelDesk
from ft_bench.doors.verbs import VERBS, Call, Settle, Verb, checked, question
from ft_bench.errors import (
    AgentFailed,
    BudgetExhausted,
    FtBenchError,
    IntegrityError,
    JobFailed,
    MessageRefused,
    ModelFailed,
    TokenRefused,
    UnknownName,
)
from ft_bench.lab import MeteredLab
from ft_bench.protocols import LLM
from ft_bench.record import Usage
from ft_bench.wire import MAX_MESSAGE, bind, error_data, read_line

__all__ = ["Pace", "SocketLab"]

_logger = logging.getLogger(__name__)
_CONNECTIONS = 32
_FIRST_LINE_SECONDS = 120.0
_SEND_SECONDS = 60.0
_HASTE_SECONDS = 0.05
_PATIENCE = 20
_FINAL = ("device_seconds", "wall_seconds")


@dataclass(slots=True)
class Pace:
    """A bucket of permits: `burst` at once, `per_second` in the long run. Not thread-safe."""

    per_second: float
    burst: float
    _left: float = field(init=False)
    _seen: float = field(init=False)

    def __post_init__(self) -> None:
        self._left, self._seen = self.burst, time.monotonic()

    def take(self) -> bool:
        """Whether one more is in time."""
        now = time.monotonic()
        self._left = min(self.burst, self._left + (now - self._seen) * self.per_second)
        self._seen = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class SocketLab:
    """Serves one Lab at `path` from `start` to `stop`.

    Args:
        lab: the metered bench.
        path: of the socket; its folder must be there.
        verbs: what may be asked.
        llm: a language model that may be asked too, within a call.

    Attributes:
        token: opens this Lab and no other.
        fatal: what ends the run: a lost machine, an integrity error, or a bug of the harness.
        exhausted: the first refusal for want of device or wall-clock time, and when it was.
        budget_refusal: the last refusal for want of anything.
        model_failure: the last time that a language model gave the program no answer.
    """

    def __init__(
        self,
        lab: MeteredLab,
        path: Path,
        *,
        verbs: Mapping[str, Verb] = VERBS,
        llm: LLM | None = None,
    ) -> None:
        self.lab, self.path = lab, path
        self._verbs, self._desk = verbs, ModelDesk(llm)
        self.token = secrets.token_urlsafe(32)
        self.fatal: BaseException | None = None
        self.exhausted: tuple[float, BudgetExhausted] | None = None
        self.budget_refusal: BudgetExhausted | None = None
        self.model_failure: ModelFailed | None = None
        self.refused: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._overruns = 0
        self._work: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._requests = Pace(per_second=500, burst=2000)
        self._arrivals = Pace(per_second=100, burst=300)
        self._open = False

    def start(self) -> None:
        """Listen; returns at once."""
        self._listener = bind(self.path)
        self._open = True
        self._acceptor = threading.Thread(target=self._accept, name="lab-socket", daemon=True)
        self._acceptor.start()

    def stop(self, *, drain: bool = True) -> None:
        """Take no more messages; with `drain`, wait for the verbs that are being carried out."""
        self._open = False
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        self.path.unlink(missing_ok=True)
        with self._lock:
            threads = dict(self._connections)
        for connection in threads.values():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        for thread in threads:
            thread.join(None if drain else 0)

    # --- connections -----------------------------------------------------------------------

    def _accept(self) -> None:
        while self._open:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            in_time = self._arrivals.take()
            with self._lock:
                room = len(self._connections) < _CONNECTIONS
            if in_time and room:
                self._serve(connection)
            else:
                self._turn_away(connection)

    def _serve(self, connection: socket.socket) -> None:
        thread = threading.Thread(target=self._talk, args=(connection,), daemon=True)
        with self._lock:
            self._connections[thread] = connection
        thread.start()

    def _turn_away(self, connection: socket.socket) -> None:
        error = MessageRefused(
            "too many",
            f"the Lab has {_CONNECTIONS} connections or was called too often; use one, and slowly",
        )
        self._note("message-flood", str(error))
        connection.setblocking(False)
        with suppress(OSError):
            connection.send(_refusal(error))
        connection.close()

    def _talk(self, connection: socket.socket) -> None:
        """Answer one connection's messages until it hangs up or sends what ends it."""
        try:
            with suppress(OSError):
                self._answer_lines(connection)
        except BaseException as bug:  # noqa: BLE001  kept for the run's own thread to raise
            self.fatal = self.fatal or bug
        finally:
            connection.close()
            with self._lock:
                self._connections.pop(threading.current_thread(), None)

    def _answer_lines(self, connection: socket.socket) -> None:
        held = bytearray()
        connection.settimeout(_FIRST_LINE_SECONDS)
        while self._open:
            try:
                line = read_line(connection, held, MAX_MESSAGE)
                if line is None:
                    return
                reply, goes_on = self._reply(line, connection, held), True
            except (MessageRefused, TokenRefused) as error:
                self._note_refusal(error)
                reply, goes_on = _refusal(error), _harmless(error)
            connection.settimeout(_SEND_SECONDS)
            connection.sendall(reply)
            if not goes_on:
                return
            connection.settimeout(None)

    # --- messages --------------------------------------------------------------------------

    def _reply(self, line: bytes, connection: socket.socket, held: bytearray) -> bytes:
        """The answer to one line.

        Raises:
            MessageRefused, TokenRefused: where the line is no message to this Lab.
        """
        message = self._opened(line)
        try:
            name, said = message.get("verb"), message.get("args")
            if name == "call" and "agree" in self._verbs:
                value = self._call(checked(Call, "call", said), connection, held)
            elif name in self._desk.verbs:
                value = self._desk.answer(str(name), said)
            else:
                verb, given = question(name, said, self._verbs)
                with self._alone(verb.work(given)):
                    value = verb.call(self.lab, given)
        except FtBenchError as error:
            self._take_note_of(error)
            return _refusal(error)
        return _line({"ok": True, "value": value})

    def _opened(self, line: bytes) -> dict[str, Any]:
        """A line as a message that came in time and with this run's token."""
        with self._lock:
            in_time = self._requests.take()
        if not in_time:
            time.sleep(_HASTE_SECONDS)
            raise MessageRefused("too many", "over 500 messages a second; wait and send it again")
        message = _message(line)
        self._check_token(message.get("token"))
        return message

    def _call(self, args: Call, connection: socket.socket, held: bytearray) -> dict[str, Any]:
        """Outside work by the program: the answer of the journal, or leave to begin.

        The next line of the same connection settles it; a connection that ends before is charged
        in full.
        """

        def make() -> tuple[Any, Usage]:
            with self._desk.opened(args.key, args.reserve) as asked:
                connection.sendall(_line({"ok": True, "value": {"known": False}}))
                connection.settimeout(None)
                line = read_line(connection, held, MAX_MESSAGE)
                if line is None:
                    raise AgentFailed(f"the call {args.key!r} was left before it was settled")
                end = checked(Settle, "settle", self._opened(line).get("args"))
                if end.failed:
                    raise ModelFailed(end.failed, charged=end.charged, transient=end.transient)
                return end.value, asked.at_least(end.used)

        value = self.lab.call(args.key, args.reserve, make, args.purpose)
        return {"known": True, "value": value}

    def _alone(self, work: str) -> threading.Lock | _Free:
        """Two clients that ask for the same work get it done once."""
        if not work:
            return _Free()
        with self._lock:
            return self._work[work]

    def _check_token(self, token: object) -> None:
        """A message without any token is a mistake; one with another token came from elsewhere."""
        if not isinstance(token, str) or not token:
            raise MessageRefused(
                "malformed", "a message has no token; send what FT_BENCH_TOKEN holds as its token"
            )
        if not hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode()):
            raise TokenRefused(
                "the token is not this run's; send what FT_BENCH_TOKEN holds in this run"
            )

    def _take_note_of(self, error: FtBenchError) -> None:
        """What an error means for the run, besides being the answer."""
        match error:
            case BudgetExhausted():
                self.budget_refusal = error
                self._count_overrun(error)
                if error.limit in _FINAL and self.exhausted is None:
                    self.exhausted = (time.monotonic(), error)
            case ModelFailed():
                self.model_failure = error
            case JobFailed(kind="INFRA") | IntegrityError():
                self.fatal = self.fatal or error
            case JobFailed(kind="POLICY"):
                self._count_overrun(error)
            case UnknownName(noun="verb"):
                self._note("malformed-messages", str(error))
            case _:
                pass

    def _count_overrun(self, error: FtBenchError) -> None:
        """A limit is met once in good faith, or a few times at once; not again and again."""
        with self._lock:
            self._overruns += 1
            often = self._overruns == _PATIENCE
        if often:
            self._note("over-budget", f"asked {_PATIENCE} times: {error}")

    def _note_refusal(self, error: MessageRefused | TokenRefused) -> None:
        if isinstance(error, TokenRefused):
            self._note("foreign-token", str(error))
        elif error.why == "too many":
            self._note("message-flood", str(error))
        else:
            self._note("malformed-messages", str(error))

    def _note(self, flag: str, detail: str) -> None:
        """Count a refusal; the first of each kind is journalled, so that it survives a crash."""
        with self._lock:
            self.refused[flag] += 1
            first = self.refused[flag] == 1
        if first:
            _logger.warning("%s: %s", flag, detail)
            self.lab.flag(flag, detail)


class _Free:
    """No lock."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def _harmless(error: MessageRefused | TokenRefused) -> bool:
    """Whether the connection may go on: its next line can be found, and it knows the token."""
    return isinstance(error, MessageRefused) and error.why != "too large"


def _message(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as cause:
        raise MessageRefused(
            "malformed", f"a message is no JSON ({type(cause).__name__}); send one object a line"
        ) from cause
    if not isinstance(found, dict):
        raise MessageRefused("malformed", "a message is no JSON object; send token, verb and args")
    return found


def _line(data: Any) -> bytes:
    return json.dumps(data, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _refusal(error: FtBenchError) -> bytes:
    return _line({"ok": False, "error": error_data(error)})
