"""Edge: the last key of each kind that is still chosen, found without a sort of all rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aidp.effect import BoolArray, IntArray

Keys = npt.NDArray[np.uint64]
Kinds = npt.NDArray[np.int32]
ROWS_AT_ONCE = 100_000
DIGIT_BITS = 8
DIGITS = 1 << DIGIT_BITS


@dataclass(slots=True)
class Edge:
    """Which rows are among the first so many of their kind, by key and then by position.

    Attributes:
        keys: The last key chosen of each kind, shape (kinds,).
        left: How many rows with just that key are still to be chosen, shape (kinds,).
    """

    keys: Keys
    left: IntArray

    def chosen(self, kinds: Kinds, keys: Keys) -> BoolArray:
        """Whether each of the next rows is chosen; rows of kind -1 never are.

        To be asked once for each row, in their order.
        """
        known = kinds >= 0
        own = np.where(known, kinds, 0)
        mask = np.asarray(known & (keys < self.keys[own]))
        at_edge = np.flatnonzero(known & (keys == self.keys[own]))
        for kind in np.unique(own[at_edge]):
            rows = at_edge[own[at_edge] == kind][: self.left[kind]]
            mask[rows] = True
            self.left[kind] -= len(rows)
        return mask


def edge_of(kinds: Kinds, keys: Keys, wanted: IntArray, sizes: IntArray) -> Edge:
    """The edge of the `wanted` rows of each kind with the lowest keys.

    A radix selection, eight bits at a time from the top: eight passes over `keys`, and memory
    for 256 counts of each kind.

    Args:
        kinds: The kind of each row, -1 for rows that are never chosen, shape (rows,).
        keys: The key of each row, shape (rows,); may be mapped from a file.
        wanted: How many rows of each kind, shape (kinds,).
        sizes: How many rows of each kind there are, shape (kinds,).
    """
    left = np.minimum(wanted, sizes).astype(np.int64)
    prefix = np.zeros(len(sizes), np.uint64)
    numbers = np.arange(len(sizes))
    for shift in range(64 - DIGIT_BITS, -1, -DIGIT_BITS):
        totals = np.cumsum(_counted(kinds, keys, prefix, shift), axis=1)
        digit = np.minimum((totals < left[:, None]).sum(axis=1), DIGITS - 1)
        left -= np.where(digit > 0, totals[numbers, digit - 1], 0)
        prefix = (prefix << np.uint64(DIGIT_BITS)) | digit.astype(np.uint64)
    return Edge(prefix, left)


def _counted(kinds: Kinds, keys: Keys, prefix: Keys, shift: int) -> npt.NDArray[np.int64]:
    """How many rows of each kind have which next digit after `prefix`, shape (kinds, 256)."""
    counts = np.zeros(len(prefix) * DIGITS, np.int64)
    for start in range(0, len(keys), ROWS_AT_ONCE):
        own = np.asarray(kinds[start : start + ROWS_AT_ONCE]).astype(np.int64)
        top = np.asarray(keys[start : start + ROWS_AT_ONCE]) >> np.uint64(shift)
        known = own >= 0
        own, top = own[known], top[known]
        same = (top >> np.uint64(DIGIT_BITS)) == prefix[own]
        digits = (top[same] & np.uint64(DIGITS - 1)).astype(np.int64)
        counts += np.bincount(own[same] * DIGITS + digits, minlength=len(counts))
    return counts.reshape(len(prefix), DIGITS)


def ordered(values: npt.NDArray[np.float64]) -> Keys:
    """Numbers without NaN as keys in the same order, equal where they are equal.

    The bits of a float, read as an integer, are in order once the sign bit of a positive one
    and all bits of a negative one are turned over.
    """
    bits = (values + 0.0).view(np.uint64)
    top = np.uint64(1) << np.uint64(63)
    return np.where(bits & top, ~bits, bits | top)
