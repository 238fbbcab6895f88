"""Equal stage: exact duplicates of a stream, by hashes on disk and a comparison of the texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from aidp.dedup import Hashes, combined_hash, comparable, confirmed, first_of_hash, repeated
from aidp.effect import BoolArray, IntArray
from aidp.errors import AidpError
from aidp.schema import as_names
from aidp.scratch import Scratch, rows_in_part
from aidp.spool import Spool, spooled
from aidp.stage import Stage

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

ROWS_COMPARED = 10_000


class EqualStage(Stage):
    """`deduplicate_by_text_hash` with memory for a part of the hashes and some texts."""

    def after(self, tables: Iterator[pa.Table], folder: Path) -> Iterator[pa.Table]:
        """All rows are put on disk and hashed, then those that stay are read again."""
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "hashes.bin").open("wb") as sink:
            spool = spooled(self._hashed(tables, sink), folder / "rows.arrow")
        if spool.rows == 0:
            return
        hashes = np.memmap(folder / "hashes.bin", np.uint64, "r").view(np.ndarray)
        scratch = Scratch(folder)
        stays = scratch.full(spool.rows, True, np.bool_)
        parts = scratch.parts(spool.rows)
        for part in range(parts):
            self._resolve(spool, hashes, rows_in_part(hashes, part, parts), stays)
        start = 0
        for table in spool.tables():
            mask = stays[start : start + table.num_rows]
            start += table.num_rows
            self.leave("duplicate", int(np.count_nonzero(~mask)))
            yield table.filter(mask)

    def _hashed(self, tables: Iterator[pa.Table], sink: BinaryIO) -> Iterator[pa.Table]:
        for table in tables:
            try:
                combined_hash(self._forms(table)).tofile(sink)
            except AidpError as error:
                raise error.counted_on(self.rows_in) from error.__cause__
            self.rows_in += table.num_rows
            yield table

    def _forms(self, table: pa.Table) -> list[pl.Series]:
        names = ("column", "normalise", "key", "num_proc")
        return comparable(table, **{name: self.params[name] for name in names})

    def _resolve(self, spool: Spool, hashes: Hashes, rows: IntArray, stays: BoolArray) -> None:
        """Mark the rows of one part that leave; equal rows have equal hashes, so share a part."""
        last = self.params["keep"] == "last"
        suspects = rows[repeated(hashes[rows])]
        own = hashes[suspects]
        found = suspects[first_of_hash(own, last=last)]
        later = np.flatnonzero(found != suspects)
        strange: set[int] = set()
        for start in range(0, len(later), ROWS_COMPARED):
            some = later[start : start + ROWS_COMPARED]
            equal = self._equal(spool, suspects[some], found[some])
            stays[suspects[some[equal]]] = False
            strange.update(own[some[~equal]].tolist())
        for value in strange:
            group = suspects[own == np.uint64(value)]
            forms = self._forms(spool.take(group, as_names(self.params["column"])))
            one = np.full(len(group), len(group) - 1 if last else 0)
            stays[group] = confirmed(one, forms, last) == np.arange(len(group))

    def _equal(self, spool: Spool, rows: IntArray, others: IntArray) -> BoolArray:
        """Whether each row's texts equal those of the other."""
        read = np.unique(np.concatenate([rows, others]))
        forms = self._forms(spool.take(read, as_names(self.params["column"])))
        here, there = np.searchsorted(read, rows), np.searchsorted(read, others)
        equal = np.ones(len(rows), np.bool_)
        for one in forms:
            equal &= one.gather(here).eq_missing(one.gather(there)).to_numpy()
        return equal
