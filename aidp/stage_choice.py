"""Choice stage: the best, random or allotted rows of a stream, by keys on disk."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from aidp.blend import OVER_CLASS_SIZE, OVER_RATIO, class_size, kinds_of, mix_counts
from aidp.choose import (
    NOT_DRAWN,
    badness_of,
    best_within,
    check_aim,
    rows_drawn,
    rows_wanted,
    score_reason,
)
from aidp.edge import Edge, Keys, Kinds, edge_of, ordered
from aidp.effect import IntArray
from aidp.errors import AidpError
from aidp.sampling import row_keys
from aidp.spool import Spool, spooled
from aidp.stage import Stage

ROWS_AT_ONCE = 5_000


@dataclass
class ChoiceStage(Stage):
    """An operator that keeps the rows with the lowest keys of each kind.

    Attributes:
        reason: Why rows leave.
        kinds: The number of each kind by its name, in order of appearance.
        sizes: How many rows of each kind came.
    """

    reason: str = ""
    kinds: dict[str, int] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)

    @abstractmethod
    def ranked(self, table: pa.Table) -> tuple[Kinds, Keys]:
        """The kind of each row, -1 where it cannot be chosen, and its key; lowest is best."""

    @abstractmethod
    def wanted(self) -> IntArray:
        """How many rows of each kind go on."""

    def after(self, tables: Iterator[pa.Table], folder: Path) -> Iterator[pa.Table]:
        """All rows and their keys are put on disk, then those up to the edge are read again."""
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "kinds.bin").open("wb") as kinds, (folder / "keys.bin").open("wb") as keys:
            spool = spooled(self._keyed(tables, kinds, keys), folder / "rows.arrow")
        if spool.rows == 0:
            return
        wanted, sizes = self.wanted(), np.array(self.sizes, np.int64)
        files = (folder / "kinds.bin", np.int32), (folder / "keys.bin", np.uint64)
        own, ranks = (np.memmap(path, kind, "r").view(np.ndarray) for path, kind in files)
        whole, rest = np.divmod(wanted, np.maximum(sizes, 1))
        edge = edge_of(own, ranks, rest, sizes)
        yield from self._taken(spool, own, ranks, whole, edge)

    def _keyed(
        self, tables: Iterator[pa.Table], kinds: BinaryIO, keys: BinaryIO
    ) -> Iterator[pa.Table]:
        for table in tables:
            try:
                own, ranks = self.ranked(table)
            except AidpError as error:
                raise error.counted_on(self.rows_in) from error.__cause__
            counts = np.bincount(own[own >= 0], minlength=len(self.sizes))
            known = [*self.sizes, *[0] * (len(counts) - len(self.sizes))]
            self.sizes = [a + int(b) for a, b in zip(known, counts, strict=True)]
            own.astype(np.int32).tofile(kinds)
            ranks.tofile(keys)
            self.rows_in += table.num_rows
            yield table

    def _taken(
        self, spool: Spool, kinds: Kinds, keys: Keys, whole: IntArray, edge: Edge
    ) -> Iterator[pa.Table]:
        """The chosen rows in their order, each as often as it is to be there."""
        start = 0
        for table in spool.tables():
            span = slice(start, start + table.num_rows)
            start = span.stop
            copies = self._copies(kinds[span], keys[span], whole, edge)
            self._count(copies)
            yield table.take(pa.array(np.repeat(np.arange(table.num_rows), copies)))

    @staticmethod
    def _copies(kinds: Kinds, keys: Keys, whole: IntArray, edge: Edge) -> IntArray:
        copies = edge.chosen(kinds, keys).astype(np.int64)
        copies[kinds >= 0] += whole[kinds[kinds >= 0]]
        return copies

    def _count(self, copies: IntArray) -> None:
        self.leave(self.reason, int(np.count_nonzero(copies == 0)))
        self.added += int(copies.sum()) - int(np.count_nonzero(copies))


@dataclass
class RandomStage(ChoiceStage):
    """`select_by_random`."""

    reason: str = NOT_DRAWN

    def ranked(self, table: pa.Table) -> tuple[Kinds, Keys]:
        """All of one kind, by the seed's key of their position."""
        rows_drawn(0, self.params["n"], self.params["fraction"])
        keys = row_keys(table.num_rows, self.params["seed"], self.rows_in)
        return np.zeros(table.num_rows, np.int32), keys

    def wanted(self) -> IntArray:
        """As many as are asked for."""
        n = rows_drawn(self.rows_in, self.params["n"], self.params["fraction"])
        return np.array([min(n, self.rows_in)])


@dataclass
class ScoreStage(ChoiceStage):
    """`select_by_score`; with `order="score"` memory for 16 bytes of each chosen row."""

    sizes: list[int] = field(default_factory=lambda: [0])
    within: int = 0

    def ranked(self, table: pa.Table) -> tuple[Kinds, Keys]:
        """By badness; rows without a score are of no kind."""
        params = self.params
        aim = {name: params[name] for name in ("k", "fraction", "threshold")}
        check_aim(**aim)
        self.reason = score_reason(params["highest"])
        badness = badness_of(table, params["column"], params["highest"], params["nan"])
        if params["threshold"] is not None:
            self.within += best_within(badness, params["threshold"], params["highest"])
        missing = np.isnan(badness)
        kinds = np.where(missing, np.int32(-1), np.int32(0))
        return kinds, ordered(np.where(missing, 0.0, badness))

    def wanted(self) -> IntArray:
        """As many as are asked for, of those that have a score."""
        aim = {name: self.params[name] for name in ("k", "fraction", "threshold")}
        n = rows_wanted(self.rows_in, self.within, **aim)
        return np.array([min(n, self.sizes[0])])

    def _taken(
        self, spool: Spool, kinds: Kinds, keys: Keys, whole: IntArray, edge: Edge
    ) -> Iterator[pa.Table]:
        """The chosen rows, best first where that is asked."""
        if self.params["order"] == "row":
            yield from super()._taken(spool, kinds, keys, whole, edge)
            return
        chosen = []
        for start in range(0, spool.rows, 10 * ROWS_AT_ONCE):
            span = slice(start, start + 10 * ROWS_AT_ONCE)
            copies = self._copies(kinds[span], keys[span], whole, edge)
            self._count(copies)
            chosen.append(start + np.flatnonzero(copies))
        rows = np.concatenate(chosen)
        rows = rows[np.argsort(keys[rows], kind="stable")]
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            order = np.argsort(some)
            back = np.empty(len(some), np.int64)
            back[order] = np.arange(len(some))
            yield spool.take(some[order]).take(pa.array(back))


@dataclass
class KindStage(ChoiceStage):
    """An operator that takes so many rows of each value of a column, by the seed's keys."""

    def ranked(self, table: pa.Table) -> tuple[Kinds, Keys]:
        """By the value's number and the seed's key of the row's position."""
        codes, names = kinds_of(table, self.params["column"])
        numbers = [self.kinds.setdefault(name, len(self.kinds)) for name in names]
        keys = row_keys(table.num_rows, self.params["seed"], self.rows_in)
        return np.array(numbers, np.int32)[codes], keys

    @property
    def named_sizes(self) -> dict[str, int]:
        """How many rows of each kind came, by its name."""
        return dict(zip(self.kinds, self.sizes, strict=True))


@dataclass
class MixStage(KindStage):
    """`mix`."""

    reason: str = OVER_RATIO

    def wanted(self) -> IntArray:
        """By the ratios."""
        names = ("column", "ratios", "total", "repeat")
        counts = mix_counts(self.named_sizes, **{name: self.params[name] for name in names})
        self.notes = {"rows_by_kind": counts}
        return np.array([counts.get(name, 0) for name in self.kinds], np.int64)


@dataclass
class BalanceStage(KindStage):
    """`balance_classes`."""

    reason: str = OVER_CLASS_SIZE

    def wanted(self) -> IntArray:
        """The same for every class."""
        names = ("column", "mode", "per_class")
        each = class_size(self.named_sizes, **{name: self.params[name] for name in names})
        self.notes = {"rows_per_class": each, "classes": len(self.kinds)}
        return np.full(len(self.kinds), each, np.int64)


STAGES: Mapping[str, type[ChoiceStage]] = {
    "balance_classes": BalanceStage,
    "mix": MixStage,
    "select_by_random": RandomStage,
    "select_by_score": ScoreStage,
}
