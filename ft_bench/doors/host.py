"""Host: starts a program beside its Lab, watches over it, and ends all of it."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from ft_bench import registry
from ft_bench.doors.decoys import Decoys
from ft_bench.doors.prompt import prompt_text
from ft_bench.doors.socket_lab import SocketLab
from ft_bench.doors.verbs import VERBS, Verb
from ft_bench.errors import AgentFailed, BudgetExhausted
from ft_bench.files import write_text
from ft_bench.integrity import FLAGS
from ft_bench.lab import MeteredLab
from ft_bench.protocols import LLM, Cell, Confined, Ended, Limits, Sandbox
from ft_bench.record import Opened
from ft_bench.wire import LAB_VARIABLE, TOKEN_VARIABLE

__all__ = ["PROMPT_FILE", "Program", "host"]

PROMPT_FILE = "PROMPT.md"
_SOCKET = "lab.sock"
_LOG_BYTES = 64 << 20
_LOG_SECONDS = 5.0
_POLL_SECONDS = 0.2
_GRACE_SECONDS = 30.0
_EXHAUSTED_CODE = 4
_LIMITS = {
    "time": "wall-clock time",
    "memory": "memory",
    "disk": "disk space in its workspace",
    "processes": "processes",
}


@dataclass(frozen=True, slots=True)
class Program:
    """What is to be started.

    Args:
        command: the program and its arguments; its working directory is the workspace.
        visible: what it may read besides the task's data, the system and Python.
        env: added to its environment.
        seconds: the longest that it may take.
        words: its author's own words, put before the task in the prompt.
        grace_seconds: how long it may go on once device or wall-clock time is used up.
        network: whether it may reach the network.
        limits: of its memory, disk and processes; their seconds are not used.
    """

    command: tuple[str, ...]
    visible: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 86_400.0
    words: str = ""
    grace_seconds: float = _GRACE_SECONDS
    network: bool = False
    limits: Limits = field(default_factory=Limits)


def host(
    lab: MeteredLab,
    program: Program,
    isolation: str,
    *,
    llm: LLM | None = None,
    verbs: Mapping[str, Verb] = VERBS,
    tick: Callable[[], None] = lambda: None,
    ending: Callable[[], None] = lambda: None,
) -> None:
    """Run a program against a Lab until it ends, its time ends or the run cannot go on.

    When this returns or raises, no process of the program is alive, its socket is gone, and what
    it had begun at the Lab has ended. `tick` is called again and again meanwhile, `ending` once the
    program is dead, before what it had begun is waited for.

    Raises:
        BudgetExhausted: where a limit ended it.
        AgentFailed: where it ended with an error; names the code and the last line it wrote.
        IntegrityError, JobFailed: what the Lab met and the run cannot go on after.
    """
    sandbox: Sandbox = registry.backend("sandbox", isolation)()
    workspace = lab.brief.workspace
    write_text(workspace / PROMPT_FILE, prompt_text(lab, program.words))
    server = SocketLab(lab, workspace / _SOCKET, verbs=verbs, llm=llm)
    log = _log_path(lab)
    decoys = Decoys(lab, log.parent / "decoys")
    server.start()
    drain = False
    try:
        with _logged(log) as stream:
            cell = _cell(lab, program, server, decoys, confined=isolation != "none")
            number = stream.fileno()
            confined = sandbox.start(program.command, cell, stdout=number, stderr=number)
            stream.close()
            try:
                # The clock is read so that what was used is noted before a kill could take it back.
                looks = (tick, decoys.tell, lab.ledger.wall_spent)
                ended = _watched(confined, server, program, looks)
            finally:
                confined.kill()
        drain = server.fatal is None
    finally:
        ending()
        server.stop(drain=drain)
        decoys.close()
    if server.fatal is not None:
        raise server.fatal
    _note_flags(lab, ended)
    _judge(ended, server, program, log)


def _log_path(lab: MeteredLab) -> Path:
    attempt = sum(isinstance(body, Opened) for body in lab.ledger.journal.bodies)
    folder = lab.paths.attempt(max(1, attempt))
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "agent.log"


def _cell(
    lab: MeteredLab, program: Program, server: SocketLab, decoys: Decoys, *, confined: bool
) -> Cell:
    brief = lab.brief
    tools = "/usr/local/bin:/usr/bin:/bin" if confined else os.environ.get("PATH", os.defpath)
    own = {
        "PATH": f"{Path(sys.executable).parent}:{tools}",
        LAB_VARIABLE: str(server.path),
        TOKEN_VARIABLE: server.token,
        "FT_BENCH_PROMPT": str(brief.workspace / PROMPT_FILE),
        "FT_BENCH_WORKSPACE": str(brief.workspace),
    }
    return Cell(
        workspace=brief.workspace,
        visible=(brief.train, brief.validation, *program.visible),
        hidden=(lab.paths.root.parent, lab.setting.data.test.parents[2]),
        decoys=decoys.places,
        network=program.network,
        env={**program.env, **own},
        limits=replace(
            program.limits, seconds=max(1.0, min(program.seconds, lab.ledger.wall_left()))
        ),
    )


def _watched(
    confined: Confined,
    server: SocketLab,
    program: Program,
    looks: Sequence[Callable[[], object]],
) -> Ended | BudgetExhausted:
    """Wait for the end; a refusal for want of time is one, after the grace.

    `looks` are called again and again meanwhile; a BudgetExhausted of theirs is an end too.
    """
    while True:
        try:
            for look in looks:
                look()
            return confined.wait(_POLL_SECONDS)
        except BudgetExhausted as refusal:
            return refusal
        except TimeoutError:
            pass
        if server.fatal is not None:
            return Ended(returncode=-9, reason="killed")
        if server.exhausted is not None:
            since, error = server.exhausted
            if time.monotonic() - since > program.grace_seconds:
                return error


def _note_flags(lab: MeteredLab, ended: Ended | BudgetExhausted) -> None:
    """What the way it ended says about it, for the card."""
    if isinstance(ended, BudgetExhausted):
        return
    if ended.strays:
        lab.flag("left-processes", f"{ended.strays} processes were left in sessions of their own")
    flag = f"over-{ended.reason}"
    if flag in FLAGS:
        lab.flag(flag, f"the program was ended for want of {_LIMITS[ended.reason]}")


def _judge(ended: Ended | BudgetExhausted, server: SocketLab, program: Program, log: Path) -> None:
    """Turn an end into what the failure policy knows; a good end passes."""
    if isinstance(ended, BudgetExhausted):
        raise ended
    name = Path(program.command[0]).name
    if ended.reason == "time":
        raise BudgetExhausted(
            "wall_seconds", f"{name} was ended after its {program.seconds:g} s or the run's wall"
        )
    if ended.reason in _LIMITS:
        raise AgentFailed(f"{name} was ended: it used more {_LIMITS[ended.reason]} than it may")
    if ended.returncode == _EXHAUSTED_CODE and server.budget_refusal is not None:
        raise server.budget_refusal
    if ended.returncode != 0 and server.model_failure is not None:
        raise server.model_failure
    if ended.returncode != 0:
        raise AgentFailed(
            f"{name} ended with {ended.returncode}: {_last_line(log)} (its log is {log})"
        )


def _last_line(log: Path) -> str:
    """The last line that a program wrote, for a person."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 4096))
        text = stream.read().decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it wrote nothing"


@contextmanager
def _logged(path: Path) -> Iterator[IO[bytes]]:
    """The writing end of a pipe whose text goes to `path`, up to a limit.

    A program that talks without end is read to the end, so that it does not block, and forgotten.
    """
    reading, writing = os.pipe()
    thread = threading.Thread(target=_pump, args=(reading, path), name="agent-log", daemon=True)
    thread.start()
    with open(writing, "wb", buffering=0) as stream:
        yield stream
    thread.join(_LOG_SECONDS)


def _pump(reading: int, path: Path) -> None:
    left = _LOG_BYTES
    with open(reading, "rb", buffering=0) as source, path.open("ab", buffering=0) as target:
        while data := source.read(1 << 16):
            target.write(data[:left])
            if len(data) > left > 0:
                target.write(b"\n[the rest of the log was dropped]\n")
            left = max(0, left - len(data))
