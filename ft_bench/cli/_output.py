"""Output: the one printer. stdout is data, stderr is talk."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

__all__ = ["Format", "Output", "table"]

Format = Literal["auto", "human", "json", "quiet"]


class Output:
    """Where a command's words go.

    Args:
        format: "auto" is human on a terminal and JSON in a pipe.
    """

    def __init__(self, format: Format = "auto") -> None:
        if format == "auto":
            format = "human" if sys.stdout.isatty() else "json"
        self.format = format

    @property
    def live(self) -> bool:
        """Whether a live panel may be drawn: a terminal, not CI, not quiet."""
        return (
            self.format == "human"
            and sys.stderr.isatty()
            and not os.environ.get("CI")
            and os.environ.get("TERM") != "dumb"
        )

    def data(self, value: Any, human: str) -> None:
        """The command's answer: JSON on one line, or text for a person; nothing when quiet."""
        if self.format == "json":
            sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        elif self.format == "human":
            sys.stdout.write(human.rstrip("\n") + "\n")
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """One line of talk."""
        if self.format != "quiet":
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def error(self, text: str) -> None:
        """One sentence about what went wrong; shown always."""
        sys.stderr.write(f"ft-bench: {text}\n")
        sys.stderr.flush()


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns padded with blanks; numbers as they come."""
    lines = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    padded = ("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded)
