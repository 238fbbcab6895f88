"""Store: a run's directory. Its truth is `events.jsonl`, append-only, each line chained by hash.

A process that dies may leave a torn last line; it is cut off when the run is taken up again. Any
other line that does not fit the chain is an integrity error.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import BaseModel, ValidationError

from ft_bench.digest import canonical_json, digest
from ft_bench.errors import ChainBroken, DataMissing, StoreBusy
from ft_bench.files import write_text
from ft_bench.record import Card, Event, Opened, Review, RunManifest
from ft_bench.seal import seal_for

__all__ = [
    "Journal",
    "RunPaths",
    "holder",
    "read_card",
    "read_events",
    "read_manifest",
    "read_review",
]

T = TypeVar("T", bound=BaseModel)
GENESIS = "0" * 64


class RunPaths:
    """Where things lie inside a run directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.manifest = root / "run.json"
        self.events = root / "events.jsonl"
        self.lock = root / "lock"
        self.clock = root / "clock"
        self.control = root / "control.jsonl"
        self.notes = root / "notes.md"
        self.card = root / "card.json"
        self.review = root / "review.json"
        self.report = root / "report.html"
        self.test = root / "test"
        self.base = root / "base"
        self.datasets = root / "artefacts" / "datasets"
        self.tokens = root / "artefacts" / "tokens"

    def node(self, node: int) -> Path:
        """The folder of a node."""
        return self.root / "nodes" / f"{node:03d}"

    def variant(self, node: int, variant: int, replica: int = 0) -> Path:
        """The folder of one training of a variant."""
        return self.node(node) / (f"v{variant}" + (f".r{replica}" if replica else ""))

    def attempt(self, number: int) -> Path:
        """The folder of one process that worked on the run."""
        return self.root / "attempts" / str(number)


def _hash(event: Event) -> str:
    return digest(event.model_dump(mode="json", exclude={"hash"}))


def read_events(path: Path) -> tuple[list[Event], int]:
    """Read and verify a journal.

    Returns:
        The events, and how many bytes of the file they fill (a torn last line is left out).

    Raises:
        ChainBroken: names the line whose hash, order or form is wrong.
    """
    events: list[Event] = []
    if not path.exists():
        return events, 0
    good, prev = 0, GENESIS
    data = path.read_bytes()
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        event = _parse(path, number, line)
        if (event.prev, event.seq) != (prev, number - 1) or not _intact(line):
            raise ChainBroken(
                f"{path} line {number} does not continue the hash chain: the journal was altered "
                "or mixed with another run's; restore it or start anew with --fresh"
            )
        events.append(event)
        prev, good = event.hash, good + len(line) + 1
    return events, good


def _intact(line: bytes) -> bool:
    """Whether a line's hash is that of the rest of it, and no byte stands as it was not written.

    The text is hashed, not the record: a field that a later version adds breaks no old journal.
    """
    data = json.loads(line)
    bare = {name: value for name, value in data.items() if name != "hash"}
    return data.get("hash") == digest(bare) and canonical_json(data).encode("utf-8") == line


def _parse(path: Path, number: int, line: bytes) -> Event:
    try:
        return Event.model_validate_json(line)
    except ValidationError as cause:
        raise ChainBroken(
            f"{path} line {number} is not an event ({cause.error_count()} faults); restore it or "
            "start anew with --fresh"
        ) from cause


class Journal:
    """The open journal of a run, held by one process at a time.

    Args:
        paths: of the run.
        watch: told each new event once it is on disk.
        private: where the keys of runs are; None leaves the journal without a seal.

    Raises:
        StoreBusy: where another live process holds the run.
        ChainBroken: where the journal was altered, or continued by somebody without its key.
    """

    def __init__(
        self,
        paths: RunPaths,
        watch: Callable[[Event], None] | None = None,
        private: Path | None = None,
    ) -> None:
        self.paths, self._watch = paths, watch
        paths.root.mkdir(parents=True, exist_ok=True)
        self._lock = _hold(paths.lock)
        try:
            self.events, good = read_events(paths.events)
            # Kept as it was read: an older line may lack what the record has by now.
            self._text = bytearray(paths.events.read_bytes()[:good] if good else b"")
            self._seal = seal_for(private, paths.root, self.events) if private else None
            self._stream: IO[bytes] = paths.events.open("ab")
            self._stream.truncate(good)
        except BaseException:
            self._lock.close()
            raise

    @property
    def bodies(self) -> Iterator[Any]:
        """The bodies of all events, oldest first."""
        return (event.body for event in self.events)

    @property
    def head(self) -> str:
        """The hash of the last event."""
        return self.events[-1].hash if self.events else GENESIS

    def append(self, body: Any) -> Event:
        """Add an event; it is on disk when this returns. Not thread-safe; the Lab locks.

        Returns:
            The event as a later process will read it: a tuple has become a list, keys are sorted.
        """
        bare = Event(seq=len(self.events), time=time.time(), body=body, prev=self.head)
        if self._seal is not None:
            code = self._seal.of(bare.model_dump(mode="json"))
            bare = bare.model_copy(update={"seal": code})
        line = canonical_json(bare.model_copy(update={"hash": _hash(bare)})).encode("utf-8")
        event = Event.model_validate_json(line)
        self._text += line + b"\n"
        self._stream.write(line + b"\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self.events.append(event)
        if self._watch is not None:
            self._watch(event)
        return event

    def open_attempt(self) -> int:
        """Record that this process begins or takes up the run."""
        attempt = 1 + sum(isinstance(body, Opened) for body in self.bodies)
        self.append(Opened(attempt=attempt, pid=os.getpid()))
        return attempt

    def note_wall(self, seconds: float) -> None:
        """Keep how long the run has been worked on, so that no kill takes it back.

        One write of fixed length: there is no moment at which half of it stands there.
        """
        file = os.open(self.paths.clock, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(file, f"{seconds:020.6f}\n".encode(), 0)
        finally:
            os.close(file)

    def noted_wall(self) -> float:
        """The seconds last noted, 0 where none were."""
        try:
            return float(self.paths.clock.read_text("ascii"))
        except (OSError, ValueError):
            return 0.0

    def restore(self) -> bool:
        """Whether the file had been altered while it was open; what was written stands again."""
        with contextlib.suppress(OSError):
            if self.paths.events.read_bytes() == self._text:
                return False
        write_text(self.paths.events, self._text.decode("utf-8"))
        self._stream.close()
        self._stream = self.paths.events.open("ab")
        return True

    def close(self) -> None:
        """Let go of the run."""
        self._stream.close()
        self._lock.close()


def _hold(path: Path) -> IO[str]:
    stream = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.seek(0)
        holder = stream.read().strip() or "unknown"
        stream.close()
        raise StoreBusy(
            f"{path.parent} is held by process {holder}; wait for it, or end it with "
            f"`ft-bench runs stop {path.parent.name}`"
        ) from None
    stream.truncate(0)
    stream.write(str(os.getpid()))
    stream.flush()
    return stream


def holder(paths: RunPaths) -> int | None:
    """The process that holds a run now, None where none does."""
    with contextlib.suppress(FileNotFoundError), paths.lock.open(encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = stream.read().strip()
            return int(text) if text.isdigit() else 0
    return None


def read_manifest(paths: RunPaths) -> RunManifest:
    """The run's manifest.

    Raises:
        DataMissing: where the folder is no run, or its manifest cannot be read.
    """
    return _read(paths.manifest, RunManifest)


def read_card(path: Path) -> Card:
    """A result card.

    Raises:
        DataMissing: where there is none, or it is malformed.
    """
    return _read(path, Card)


def read_review(path: Path) -> Review | None:
    """The review in a file, None where there is none.

    Raises:
        DataMissing: where it is malformed.
    """
    return _read(path, Review) if path.exists() else None


def _read(path: Path, model: type[T]) -> T:
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError as cause:
        raise DataMissing(f"{path} is not there; expected a run's {model.__name__}") from cause
    except ValidationError as cause:
        first = cause.errors()[0]
        raise DataMissing(
            f"{path} is not a {model.__name__}: {first['msg']} at {first['loc']}"
        ) from cause
