"""Spool: rows of a stream put on disk, to be read again a batch at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from aidp.effect import IntArray
from aidp.errors import AidpError
from aidp.tables import read_table

BATCH_ROWS = 20_000
BATCH_BYTES = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Spool:
    """Rows in an Arrow stream file.

    Attributes:
        path: The file.
        rows: How many there are.
    """

    path: Path
    rows: int

    def tables(self) -> Iterator[pa.Table]:
        """The rows in the batches they came in, read, not mapped, so that none stays behind."""
        with pa.OSFile(str(self.path)) as source, pa.ipc.open_stream(source) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])

    def take(self, rows: IntArray, columns: list[str] | None = None) -> pa.Table:
        """The rows at ascending positions; only they are read."""
        table = read_table(self.path)
        batches = (table if columns is None else table.select(columns)).to_batches()
        starts = np.cumsum([0] + [batch.num_rows for batch in batches])
        edges = np.searchsorted(rows, starts)
        parts = [
            batch.take(pa.array(rows[a:b] - start))
            for batch, start, (a, b) in zip(
                batches, starts[:-1], itertools.pairwise(edges), strict=True
            )
            if b > a
        ]
        return pa.Table.from_batches(parts, batches[0].schema)


def spooled(tables: Iterable[pa.Table], path: Path) -> Spool:
    """Write all tables to `path` with the schema of the first; without any, no file is made.

    Raises:
        AidpError: A table has other columns than the first.
    """
    waiting = iter(tables)
    first = next(waiting, None)
    if first is None:
        return Spool(path, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = 0
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, first.schema) as writer:
        for table in itertools.chain([first], waiting):
            try:
                fitting = table.select(first.column_names).cast(first.schema)
            except (pa.ArrowInvalid, KeyError) as error:
                raise AidpError(f"a batch has other columns than the first: {error}") from None
            writer.write_table(fitting, max_chunksize=BATCH_ROWS)
            rows += int(table.num_rows)
    return Spool(path, rows)


def regrouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in batches that are worth the fixed cost of an operator, yet bounded.

    Raises:
        AidpError: A table has other columns than the one before.
    """
    waiting: list[pa.Table] = []
    rows = size = 0
    for table in tables:
        for start in range(0, table.num_rows, BATCH_ROWS):
            part = table.slice(start, BATCH_ROWS)
            if waiting and part.schema != waiting[0].schema:
                yield _joined(waiting)
                waiting, rows, size = [], 0, 0
            waiting.append(part)
            rows += part.num_rows
            size += part.nbytes
            if rows >= BATCH_ROWS or size >= BATCH_BYTES:
                yield _joined(waiting)
                waiting, rows, size = [], 0, 0
    if waiting:
        yield _joined(waiting)


def _joined(tables: list[pa.Table]) -> pa.Table:
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables).combine_chunks()
