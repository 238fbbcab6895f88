"""Tables: the Arrow rows under a Hugging Face dataset, without and with a copy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from aidp.errors import AidpError
from aidp.fingerprint import content_id

if TYPE_CHECKING:
    from datasets import Dataset

    from aidp.effect import Effect, IntArray

COPY_ROWS = 50_000


def table_of(dataset: Dataset) -> pa.Table:
    """The Arrow table under `dataset`, zero-copy unless it is a selection of rows.

    A selection is written out by a sorted take, because an index mapping makes every
    later operator many times slower.

    Raises:
        AidpError: `dataset` is not a `datasets.Dataset`.
    """
    from datasets import Dataset

    if isinstance(dataset, pa.Table):
        return dataset
    if not isinstance(dataset, Dataset):
        raise AidpError(
            f"got a {type(dataset).__name__}, expected a datasets.Dataset; "
            "take one split of a DatasetDict, or use aidp.run_stream for a stream"
        )
    table = dataset.data.table
    if dataset._indices is None:
        return table
    order = dataset._indices.column(0).to_numpy().astype(np.int64)
    return take_rows(table, order)


def dataset_of(table: pa.Table, like: Dataset | None = None, fingerprint: str = "") -> Dataset:
    """A dataset over `table`; the features of `like` are kept for columns still of their type.

    Its fingerprint is given or the content id, because the library's own would be of a copy of
    all rows in memory.
    """
    from datasets import Dataset, Features
    from datasets.table import InMemoryTable

    if like is not None:
        inferred = Features.from_arrow_schema(table.schema)
        features = Features(
            {
                name: like.features[name]
                if name in like.features and like.data.schema.field(name).type == field.type
                else inferred[name]
                for name, field in zip(table.column_names, table.schema, strict=True)
            }
        )
        table = table.replace_schema_metadata(features.arrow_schema.metadata)
    return Dataset(InMemoryTable(table), fingerprint=fingerprint or content_id(table))


def take_rows(table: pa.Table, order: IntArray) -> pa.Table:
    """The rows of `table` at `order`, written out contiguously and in that order."""
    ascending = len(order) < 2 or bool((np.diff(order) > 0).all())
    if ascending and len(order) == table.num_rows:
        return table
    if not ascending:
        return table.take(pa.array(order))
    mask = np.zeros(table.num_rows, np.bool_)
    mask[order] = True
    return table.filter(pa.array(mask))


def apply_effect(table: pa.Table, effect: Effect) -> pa.Table:
    """The table after `effect`; `table` itself when nothing changes."""
    if effect.table is not None:
        return effect.table
    return table if effect.keep is None else take_rows(table, effect.keep)


def write_table(table: pa.Table, path: Path) -> None:
    """Write `table` as an Arrow stream; `path` appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=COPY_ROWS)
    os.replace(partial, path)


def write_selection(table: pa.Table, order: IntArray, path: Path) -> None:
    """Write the rows at ascending `order` to `path`, a batch at a time, never all in memory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    mask = np.zeros(table.num_rows, np.bool_)
    mask[order] = True
    start = 0
    with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=COPY_ROWS):
            stop = start + batch.num_rows
            writer.write_batch(batch.filter(pa.array(mask[start:stop])))
            start = stop
    os.replace(partial, path)


def read_table(path: Path) -> pa.Table:
    """The table that `write_table` wrote, mapped into memory, not read."""
    return pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
