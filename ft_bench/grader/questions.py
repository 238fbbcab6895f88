"""Questions: the rows that the ids of a predictions file name.

They come from one split of the prepared data, from all of it (`any`), or from a file of rows.
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ft_bench.errors import DataMissing, UnknownName, UsageError
from ft_bench.prepare import Prepared, read_rows
from ft_bench.protocols import Row

__all__ = ["ANY", "SPLITS", "Questions", "given_rows", "questions_of"]

ANY = "any"
SPLITS = ("test", "validation", ANY)
"""What can be asked for; `any` is every row that the prepared data know, training rows included."""


_Rows = list[dict[str, Any]]


class Questions:
    """Rows by the place they come from.

    Args:
        split: what is scored: one of SPLITS, or "rows" for a file of rows.
        places: readers of the rows of each place, in the order of search; the first is the split.
        given: the file of rows, None where they are prepared ones.
    """

    def __init__(
        self, split: str, places: Mapping[str, Callable[[], _Rows]], given: Path | None = None
    ) -> None:
        self.split, self.given = split, given
        self._places = dict(places)

    def _split(self) -> _Rows:
        return next(iter(self._places.values()))()

    def rows(self, ids: Collection[str]) -> list[Row]:
        """The rows of the split; of `any`, the rows with these ids, each once."""
        if self.split != ANY:
            return list(self._split())
        found: dict[str, Row] = {}
        for read in self._places.values():
            for row in read():
                if row["id"] in ids:
                    found.setdefault(row["id"], row)
            if len(found) == len(ids):
                break
        return list(found.values())

    def elsewhere(self, name: str) -> str:
        """The place outside the split that has a row called `name`, "" for none."""
        if self.split == ANY:
            return ""
        others = list(self._places.items())[1:]
        return next(
            (place for place, read in others if any(row["id"] == name for row in read())), ""
        )

    def example(self) -> str:
        """An id of the split."""
        rows = self._split()
        return str(rows[0]["id"]) if rows else "(the split is empty)"


def _there(path: Path) -> _Rows:
    return read_rows(path) if path.exists() else []


def questions_of(data: Prepared, split: str) -> Questions:
    """The rows of a split of the prepared data.

    Raises:
        UnknownName: `split` is none of SPLITS.
    """
    if split not in SPLITS:
        raise UnknownName("split", split, SPLITS)
    paths = {
        "test": data.test,
        "validation": data.validation,
        "spare": data.spare,
        "training": data.train,
    }
    first = "test" if split == ANY else split
    order = (first, *(place for place in paths if place != first))
    return Questions(split, {place: partial(_there, paths[place]) for place in order})


def given_rows(path: Path) -> Questions:
    """The rows of a JSONL file: each an object with a text `id` and what the scorer reads.

    Raises:
        DataMissing: there is no such file.
        UsageError: names the line that is no such object, or an id given twice.
    """
    try:
        lines = path.read_bytes().removeprefix(BOM_UTF8).split(b"\n")
    except (FileNotFoundError, IsADirectoryError) as cause:
        raise DataMissing(f"{path} is not there; expected JSONL, one row a line") from cause
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _row(path, number, line)
        if row["id"] in found:
            raise UsageError(
                f"{path} line {number} repeats id {row['id']!r}; expected each id once"
            )
        found[row["id"]] = row
    if not found:
        raise UsageError(f"{path} holds no row; expected JSONL, one row a line")
    rows = list(found.values())
    return Questions("rows", {"rows": lambda: rows}, given=path)


def _row(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8", "replace"))
    except (json.JSONDecodeError, RecursionError) as cause:
        raise UsageError(
            f"{path} line {number} is not JSON: {cause}; expected one row, an object"
        ) from cause
    if not isinstance(row, dict) or not isinstance(row.get("id"), str):
        shown = line[:60].decode("utf-8", "replace")
        raise UsageError(f'{path} line {number} is {shown!r}; expected an object with a text "id"')
    return row
