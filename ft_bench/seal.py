"""Seal: a keyed code on each line of a journal, so that only the harness can write one.

The hash chain says that a journal is whole; anyone can make one. The key of a run lies in the
private folder, where the test split is: not mounted under bwrap, and no secret under `none` and
`process`, where an agent of the same user would have to look for it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ft_bench.digest import digest
from ft_bench.errors import ChainBroken

__all__ = ["Seal", "find_seal", "seal_for"]

_FOLDER = "seals"
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Seal:
    """The seal of one run. `run` is the hash of its manifest, which every line vouches for."""

    key: bytes
    run: str

    def of(self, event: Any) -> str:
        """The code for an event as JSON data; its own `seal` and `hash` do not count."""
        bare = {name: value for name, value in event.items() if name not in ("hash", "seal")}
        return hmac.new(self.key, f"{self.run}{digest(bare)}".encode(), hashlib.sha256).hexdigest()

    def broken(self, events: Path) -> int | None:
        """The first line of a journal that was not written under this seal, None where all were.

        A torn last line is no line.
        """
        for number, line in enumerate(events.read_bytes().split(b"\n")[:-1], start=1):
            event = json.loads(line)
            if not hmac.compare_digest(str(event.get("seal", "")), self.of(event)):
                return number
        return None


def find_seal(private: Path, root: Path) -> Seal | None:
    """The seal of the run in the folder `root`, None where its key is not here."""
    try:
        return Seal(_path(private, root).read_bytes(), _manifest(root))
    except FileNotFoundError:
        return None


def seal_for(private: Path, root: Path, events: Sequence[object]) -> Seal | None:
    """The seal under which a journal goes on: made for the first event, else as it was found.

    None for a run that was begun without one, or where its key is not here.

    Args:
        private: where keys are.
        root: of the run.
        events: what its journal holds already.

    Raises:
        ChainBroken: where a line was not written under the seal of this run.
    """
    if not events:
        return _make(private, root)
    seal = find_seal(private, root)
    line = seal.broken(root / "events.jsonl") if seal is not None else None
    if line is not None:
        raise ChainBroken(
            f"{root / 'events.jsonl'} line {line} does not bear the seal of this run: it or "
            "run.json was written by something other than the harness; start anew with --fresh"
        )
    return seal


def _make(private: Path, root: Path) -> Seal:
    """A new seal for a run whose journal is empty; only this user can read its key."""
    path = _path(private, root)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "wb") as stream:
        stream.write(secrets.token_bytes(_BYTES))
        stream.flush()
        os.fsync(stream.fileno())
    return Seal(path.read_bytes(), _manifest(root))


def _path(private: Path, root: Path) -> Path:
    """By where the run lies: a copy of it elsewhere has no key."""
    return private / _FOLDER / f"{digest(str(root.resolve()))[:32]}.key"


def _manifest(root: Path) -> str:
    return hashlib.sha256((root / "run.json").read_bytes()).hexdigest()
