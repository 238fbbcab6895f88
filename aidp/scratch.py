"""Scratch: arrays as long as the rows, in memory or in files that only pass through it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from aidp.buffers import TextBuffer, text_buffer
from aidp.effect import IntArray

ROWS_IN_PART = 500_000
ROWS_SCANNED = 1_000_000


class Scratch:
    """Where large arrays lie: in memory, or, given a folder, in files of it that are mapped.

    Mapped pages can be written back and dropped, so that memory does not grow with the rows.
    Whoever gives the folder removes it.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Keep arrays in `folder`, or in memory."""
        self._folder = folder
        self._names = itertools.count()

    def empty(self, shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """An array of that shape, contents undefined."""
        if self._folder is None or np.prod(shape) == 0:
            return np.empty(shape, dtype)
        return np.memmap(self._path(), dtype, "w+", shape=shape).view(np.ndarray)

    def full(
        self, shape: int | tuple[int, ...], value: int, dtype: npt.DTypeLike
    ) -> npt.NDArray[Any]:
        """An array of that shape, `value` everywhere."""
        made = self.empty(shape, dtype)
        made[...] = value
        return made

    def kept(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`values`, moved out of memory where there is a folder."""
        if self._folder is None:
            return values
        made = self.empty(values.shape, values.dtype)
        made[...] = values
        return made

    def parts(self, rows: int) -> int:
        """In how many parts, a power of two, to work on so many keys: one in memory."""
        return 1 if self._folder is None else 1 << (rows // ROWS_IN_PART).bit_length()

    def texts(self, chunks: Iterable[pa.Array], rows: IntArray) -> TextBuffer:
        """The texts at ascending `rows` of the column that `chunks` make up, end to end."""
        parts = _selected(chunks, rows)
        if self._folder is None:
            chosen = pa.chunked_array(list(parts), pa.large_string())
            return text_buffer(chosen)
        offsets = self.full(len(rows) + 1, 0, np.int64)
        path, count, size = self._path(), 0, 0
        with path.open("wb") as sink:
            for part in parts:
                buffer = text_buffer(part)
                first, last = buffer.offsets[0], buffer.offsets[-1]
                sink.write(buffer.data[first:last].data)
                offsets[count + 1 : count + 1 + len(part)] = buffer.offsets[1:] - first + size
                count, size = count + len(part), size + int(last - first)
        data = np.memmap(path, np.uint8, "r").view(np.ndarray) if size else np.zeros(0, np.uint8)
        return TextBuffer(data, offsets)

    def _path(self) -> Path:
        assert self._folder is not None
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"array{next(self._names)}.bin"


def _selected(chunks: Iterable[pa.Array], rows: IntArray) -> Iterable[pa.Array]:
    """A filter of each chunk, because a take of the whole first copies the column."""
    start = 0
    for chunk in chunks:
        own = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + len(chunk))]
        mask = np.zeros(len(chunk), np.bool_)
        mask[own - start] = True
        yield chunk.filter(pa.array(mask)).cast(pa.large_string())
        start += len(chunk)


def rows_in_part(keys: npt.NDArray[Any], part: int, parts: int) -> IntArray:
    """The positions of keys whose top bits say `part` of `parts`, a power of two, ascending."""
    if parts == 1:
        return np.arange(len(keys))
    shift = keys.dtype.type(keys.dtype.itemsize * 8 - parts.bit_length() + 1)
    wanted = keys.dtype.type(part)
    found = [
        np.flatnonzero(keys[start : start + ROWS_SCANNED] >> shift == wanted) + start
        for start in range(0, len(keys), ROWS_SCANNED)
    ]
    return np.concatenate(found)
