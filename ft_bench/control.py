"""Control: the two files of a run folder by which a person steers it, live or stopped.

`control.jsonl` holds one order a line, appended by `ft-bench runs pin|close|ban`; `notes.md` is
free text. Only the process that holds the run writes them into the journal.
"""

from __future__ import annotations

import fcntl
import json
import os

from pydantic import ValidationError

from ft_bench.record import Order
from ft_bench.store import RunPaths

__all__ = ["MOST_NOTES", "add_note", "append_order", "read_notes", "read_orders"]

MOST_NOTES = 20_000
"""Characters of `notes.md` that are read."""


def append_order(paths: RunPaths, order: Order) -> None:
    """Add an order; several processes may do so at once, and a torn line is never joined."""
    line = json.dumps(order.model_dump(mode="json"), ensure_ascii=True).encode() + b"\n"
    with paths.control.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.write(line)
        stream.flush()
        os.fsync(stream.fileno())


def read_orders(paths: RunPaths, after: int) -> tuple[tuple[Order, ...], int]:
    """The orders after so many lines, and how many whole lines there are.

    A line that is no order is passed over: the file may have been written by hand.
    """
    try:
        lines = paths.control.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return (), after
    found = [_order(line) for line in lines[after:]]
    return tuple(order for order in found if order is not None), max(after, len(lines))


def _order(line: bytes) -> Order | None:
    try:
        return Order.model_validate_json(line)
    except ValidationError:
        return None


def read_notes(paths: RunPaths) -> str:
    """The text of `notes.md` without control characters, "" where there is none."""
    try:
        with paths.notes.open(encoding="utf-8", errors="replace") as stream:
            text = stream.read(MOST_NOTES)
    except (FileNotFoundError, IsADirectoryError):
        return ""
    return "".join(mark for mark in text if mark == "\n" or mark.isprintable()).strip()


def add_note(paths: RunPaths, text: str) -> None:
    """Add a line to `notes.md`."""
    with paths.notes.open("a", encoding="utf-8") as stream:
        stream.write(text.rstrip() + "\n")
