"""Near stage: near duplicates of a stream, by signatures on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aidp.errors import AidpError
from aidp.near import Search, check_near, near_rows, near_values
from aidp.scratch import Scratch
from aidp.spool import spooled
from aidp.stage import Stage

if TYPE_CHECKING:
    import pyarrow as pa

COMPARED = "__aidp_compared"


class NearStage(Stage):
    """`deduplicate_by_minhash` with memory for a part of the signatures and for one batch."""

    def after(self, tables: Iterator[pa.Table], folder: Path) -> Iterator[pa.Table]:
        """All rows are put on disk, signed and compared, then those that stay are read again."""
        params = {name: self.params[name] for name in Search.__slots__}
        check_near(params["threshold"], params["n"], params["permutations"])
        spool = spooled(self._with_texts(tables), folder / "rows.arrow")
        if spool.rows == 0:
            return

        def texts() -> Iterable[pa.Array]:
            return (c for table in spool.tables() for c in table.column(COMPARED).chunks)

        scratch = Scratch(folder)
        rows, near, self.notes = near_rows(texts, spool.rows, Search(**params), scratch)
        stays = scratch.full(spool.rows, True, np.bool_)
        stays[rows[near != rows]] = False
        start = 0
        for table in spool.tables():
            mask = stays[start : start + table.num_rows]
            start += table.num_rows
            self.leave("near-duplicate", int(np.count_nonzero(~mask)))
            yield table.drop_columns([COMPARED]).filter(mask)

    def _with_texts(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Each batch with the text that is compared as a column of its own."""
        for table in tables:
            try:
                values = near_values(table, self.params["column"])
            except AidpError as error:
                raise error.counted_on(self.rows_in) from error.__cause__
            self.rows_in += table.num_rows
            yield table.append_column(COMPARED, values)
