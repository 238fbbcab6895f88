"""Embeddings: a vector per row, kept as a column that other operators read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aidp.buffers import series_buffer
from aidp.effect import Effect
from aidp.encode import HASH_DIMENSIONS, Encoder, Vectors, hash_vectors, model_vectors, unit
from aidp.errors import AidpError
from aidp.operators import operator
from aidp.schema import is_list, joined_texts, require, set_column

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)


@operator(
    each_row=True, example='generate_text_embeddings(data, column="prompt", output="embedding")'
)
def generate_text_embeddings(
    table: pa.Table,
    *,
    column: str | list[str] = "text",
    output: str = "embedding",
    encoder: Encoder = "hash",
    model: str | None = None,
    dimensions: int = HASH_DIMENSIONS,
    batch_size: int = 64,
    num_proc: int = 1,
) -> Effect:
    """Add a column of unit vectors, one per row.

    Without a model they are hashed n-grams: near means alike in wording, not in meaning,
    and the account says so.

    Args:
        table: The rows.
        column: The text column or columns.
        output: The new column, a list of float32.
        encoder: `hash`, `model2vec` or `sentence-transformers`.
        model: A local folder or hub id; for the latter two.
        dimensions: Length of a vector, for `hash`.
        batch_size: Texts at once, for a model.
        num_proc: Threads, for `hash`.

    Raises:
        AidpError: `model` is missing or cannot be loaded, or the column is no text.
    """
    series = joined_texts(table, column)
    vectors = _vectors(series, encoder, model, dimensions, batch_size, num_proc)
    return Effect(
        table=set_column(table, output, as_column(vectors)),
        notes={"encoder": describe_encoder(encoder, model), "dimensions": vectors.shape[1]},
    )


def row_vectors(
    table: pa.Table, column: str | list[str], embedding: str | None, num_proc: int
) -> tuple[Vectors, str]:
    """The vectors of the column `embedding`, or hashed ones of `column`, and how they were made.

    Raises:
        AidpError: The column is missing or holds no vectors of one length.
    """
    if embedding is None:
        series = joined_texts(table, column)
        vectors = _vectors(series, "hash", None, HASH_DIMENSIONS, 1, num_proc)
        return vectors, describe_encoder("hash", None)
    return unit(read_vectors(table, embedding)), f"column {embedding!r}"


def read_vectors(table: pa.Table, column: str) -> Vectors:
    """The vectors in a column, shape (rows, dimensions).

    Raises:
        AidpError: The column is missing, has nulls, or holds no vectors of one length.
    """
    values = require(table, column)
    if not is_list(values.type):
        raise AidpError(f"holds {values.type}, expected lists of numbers", column=column)
    lengths = pc.unique(pc.list_value_length(values)).to_pylist()
    if len(lengths) != 1 or not lengths[0]:
        raise AidpError("has no vector or several lengths, expected one length", column=column)
    kind = values.type.value_type
    flat = pa.chunked_array([chunk.flatten() for chunk in values.chunks], kind)
    rows = len(values)
    vectors = np.asarray(flat.to_numpy(), np.float32).reshape(rows, -1)
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise AidpError("holds a number that is not finite", column=column, row=row)
    return vectors


def as_column(vectors: Vectors) -> pa.Array:
    """Vectors as a list column, without a copy."""
    rows, dimensions = vectors.shape
    offsets = np.arange(rows + 1, dtype=np.int64) * dimensions
    if offsets[-1] < 2**31:
        return pa.ListArray.from_arrays(offsets.astype(np.int32), pa.array(vectors.ravel()))
    return pa.LargeListArray.from_arrays(offsets, pa.array(vectors.ravel()))


def describe_encoder(encoder: Encoder, model: str | None) -> str:
    """What made the vectors, for the account."""
    return "hashed n-grams, no model" if encoder == "hash" else f"{encoder} {model}"


def _vectors(
    series: pl.Series,
    encoder: Encoder,
    model: str | None,
    dimensions: int,
    batch_size: int,
    num_proc: int,
) -> Vectors:
    if encoder == "hash":
        if dimensions < 1:
            raise AidpError(f"dimensions is {dimensions}, expected at least 1")
        log.info("embedding by hashed n-grams, which need no model")
        return hash_vectors(series_buffer(series), dimensions=dimensions, threads=num_proc)
    if model is None:
        raise AidpError(f"encoder {encoder!r} needs a model; give a folder or a hub id")
    return model_vectors(series.to_list(), model, encoder, batch_size=batch_size)
