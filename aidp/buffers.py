"""Buffers: a column of text as one run of bytes and the offsets into it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class TextBuffer:
    """Texts as NumPy sees them, without a copy of the bytes.

    Attributes:
        data: UTF-8 bytes of all texts, shape (bytes,).
        offsets: Where each text starts, and the end of the last, shape (texts + 1,).
    """

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        """Make both read-only: nobody writes to them, and kernels are compiled once, not twice."""
        self.data.flags.writeable = False
        self.offsets.flags.writeable = False

    def __len__(self) -> int:
        """How many texts there are."""
        return len(self.offsets) - 1

    def part(self, start: int, stop: int) -> TextBuffer:
        """The texts from `start` to before `stop`, over the same bytes."""
        return TextBuffer(self.data, self.offsets[start : stop + 1])


def text_buffer(values: pa.ChunkedArray | pa.Array) -> TextBuffer:
    """The bytes under a string column without nulls; copied only where it has several chunks."""
    if isinstance(values, pa.ChunkedArray):
        values = values.chunk(0) if values.num_chunks == 1 else _one_chunk(values)
    width = np.int64 if pa.types.is_large_string(values.type) else np.int32
    _, offsets, data = values.buffers()
    raw = np.frombuffer(offsets, width) if offsets is not None else np.zeros(1, width)
    edges = raw[values.offset : values.offset + len(values) + 1].astype(np.int64)
    if len(edges) == 0:
        edges = np.zeros(1, np.int64)
    content = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return TextBuffer(content, edges)


def series_buffer(series: pl.Series) -> TextBuffer:
    """The bytes under a polars string series without nulls."""
    import polars as pl

    return text_buffer(series.to_arrow(compat_level=pl.CompatLevel.oldest()))


def over_parts(
    function: Callable[[TextBuffer, int, int], None], buffer: TextBuffer, threads: int
) -> None:
    """Call `function(part, start, stop)` on consecutive parts, in `threads` threads."""
    bounds = np.linspace(0, len(buffer), max(threads, 1) + 1).astype(int).tolist()
    spans = [(a, b) for a, b in itertools.pairwise(bounds) if b > a]
    if len(spans) < 2:
        for start, stop in spans:
            function(buffer.part(start, stop), start, stop)
        return
    with ThreadPoolExecutor(len(spans)) as pool:
        for done in [pool.submit(function, buffer.part(a, b), a, b) for a, b in spans]:
            done.result()


def _one_chunk(values: pa.ChunkedArray) -> pa.Array:
    combined = values.cast(pa.large_string()).combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined
