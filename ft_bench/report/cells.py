"""Cells: text cut, padded and wrapped by its width on a terminal, where a Chinese character is two.

Text in records is written by models and strangers, so control characters never reach a terminal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

__all__ = ["columns", "cut", "field", "pad", "plain", "width_of", "wrap"]

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def plain(text: str) -> str:
    """The text on one line, without control, format or surrogate characters."""
    shown = "".join(
        " " if unicodedata.category(character) in _HIDDEN else character for character in text
    )
    return " ".join(shown.split())


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def width_of(text: str) -> int:
    """How many columns a terminal gives to the text."""
    return sum(map(_width, text))


def cut(text: str, width: int) -> str:
    """The text on one line of at most `width` columns, with an ellipsis where something is lost."""
    most = 8 * max(width, 1)
    shown = plain(text[:most])
    if len(text) <= most and width_of(shown) <= width:
        return shown
    return shown[: _head(shown, width - 1)].rstrip() + "…"


def _head(text: str, width: int) -> int:
    """How many characters of the text fit into `width` columns."""
    taken = 0
    for place, character in enumerate(text):
        taken += _width(character)
        if taken > width:
            return place
    return len(text)


def pad(text: str, width: int, *, right: bool = False) -> str:
    """The text with blanks up to `width` columns, before it where it stands at the right."""
    blanks = " " * max(0, width - width_of(text))
    return blanks + text if right else text + blanks


def wrap(text: str, width: int, indent: str = "", *, most: int = 2_000) -> list[str]:
    """Lines of at most `width` columns; each begins with `indent`.

    Breaks at blanks, and inside a word only where it is wider than a line. Of a text longer than
    `most` characters the rest is left out and counted.
    """
    room = max(8, width - width_of(indent))
    short = plain(text[:most])
    if len(text) > most:
        short += f" … ({len(text) - most:,} more characters)"
    lines = [""]
    for word in _words(short, room):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if width_of(joined) <= room:
            lines[-1] = joined
        else:
            lines.append(word)
    return [indent + line for line in lines]


def _words(text: str, room: int) -> Iterable[str]:
    for word in text.split(" "):
        rest = word
        while width_of(rest) > room:
            kept = _head(rest, room)
            yield rest[:kept]
            rest = rest[kept:]
        yield rest


def field(label: str, text: str, width: int, *, column: int = 13) -> list[str]:
    """A label and its text beside it, wrapped; under 60 columns the text goes below the label."""
    if width < 60:
        return [*([label] if label else []), *wrap(text, width, "    ")]
    lines = wrap(text, width, " " * column)
    return [pad(label, column) + lines[0][column:], *lines[1:]]


def columns(rows: Sequence[Sequence[str]], numeric: Iterable[int], width: int) -> list[str]:
    """Rows as columns two blanks apart; the first column gives way where the width is too small.

    Args:
        rows: equally long; the first is the header.
        numeric: which columns stand at the right.
        width: of the terminal.
    """
    right = set(numeric)
    widths = [max(width_of(row[place]) for row in rows) for place in range(len(rows[0]))]
    widths[0] = max(8, min(widths[0], width - sum(widths[1:]) - 2 * (len(widths) - 1)))
    return [
        "  ".join(
            pad(cut(cell, widths[place]), widths[place], right=place in right)
            for place, cell in enumerate(row)
        ).rstrip()
        for row in rows
    ]
