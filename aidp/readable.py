"""Readable: texts in the form that kernels compare, ASCII as it is and the rest made loose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aidp.buffers import TextBuffer, series_buffer, text_buffer
from aidp.normal import normal_form
from aidp.schema import as_names, joined_texts, strings

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


def readable(table: pa.Table, column: str | list[str]) -> list[TextBuffer]:
    """The texts as kernels can read them: as they are where ASCII, else in `loose` normal form.

    A buffer for each chunk, so that rows mapped from a file are never in memory together;
    ASCII in a single column is not copied.
    """
    import polars as pl

    names = as_names(column)
    if len(names) > 1:
        return [series_readable(joined_texts(table, names))]
    buffers = []
    for chunk in strings(table, names[0]).chunks:
        buffer = text_buffer(chunk)
        if not _is_ascii(buffer):
            series = pl.from_arrow(chunk)
            assert isinstance(series, pl.Series)
            buffer = series_readable(series)
        buffers.append(buffer)
    return buffers


def hashed_words(buffer: TextBuffer) -> npt.NDArray[np.uint64]:
    """One hash of the words of each text, shape (texts,)."""
    from aidp.kernels import word_hashes

    hashes = np.empty(len(buffer), np.uint64)
    word_hashes(buffer.data, buffer.offsets, hashes)
    return hashes


def series_readable(series: pl.Series) -> TextBuffer:
    """`readable` of a series."""
    import polars as pl

    buffer = series_buffer(series)
    if _is_ascii(buffer):
        return buffer
    foreign = pl.col("text").str.len_bytes() != pl.col("text").str.len_chars()
    rows = pl.DataFrame({"text": series}).select(foreign.arg_true()).to_series()
    return series_buffer(series.scatter(rows, normal_form(series.gather(rows), "loose")))


def _is_ascii(buffer: TextBuffer) -> bool:
    used = buffer.data[buffer.offsets[0] : buffer.offsets[-1]]
    return len(used) == 0 or int(used.max()) < 128


def _loose_bytes() -> npt.NDArray[np.uint8]:
    """For each byte what stands for it: ASCII punctuation is a blank, `_` is a letter."""
    kept = {ord(c) for c in "_\t\n\r\v\f "}
    table = [ord(chr(b).lower()) if chr(b).isalnum() or b in kept else 32 for b in range(128)]
    return np.array([*table, *range(128, 256)], np.uint8)


LOOSE_BYTES = _loose_bytes()
