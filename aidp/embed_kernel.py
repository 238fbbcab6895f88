"""Embedding kernel: the hashing n-gram encoder; import inside functions only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aidp.kernels import Bytes, Ints, compiled, longest, text_grams

CHARS_IN_GRAM = 4


@compiled
def add_grams(
    data: Bytes, offsets: Ints, words: bool, n: int, weight: float, out: npt.NDArray[np.float32]
) -> None:
    """Add each gram, with a sign, to a hashed place of `out`, shape (texts, dimensions)."""
    units = np.empty(longest(offsets), np.uint64)
    grams = np.empty(longest(offsets), np.uint64)
    dimensions = np.uint64(out.shape[1])
    for row in range(len(offsets) - 1):
        m = text_grams(data, offsets[row], offsets[row + 1], words, n, units, grams)
        for i in range(m):
            sign = 1.0 if grams[i] >> np.uint64(63) else -1.0
            out[row, (grams[i] >> np.uint64(8)) % dimensions] += np.float32(sign * weight)
