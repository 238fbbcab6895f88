"""Sampling: which rows a seed chooses, so that smaller samples lie within larger ones."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from aidp.effect import Effect, IntArray, sampling


def row_keys(rows: int, seed: int, first: int = 0) -> npt.NDArray[np.uint64]:
    """One pseudo-random key per row position, shape (rows,); SplitMix64 of seed and position.

    `first` is the position of the first of the rows.

    Source of the mixing constants: Steele, Lea and Flood (2014), "Fast splittable
    pseudorandom number generators".
    """
    golden = np.uint64(0x9E3779B97F4A7C15)
    start = np.uint64(seed * 0xD1342543DE82EF95 % 2**64)
    z = (np.arange(first + 1, first + rows + 1, dtype=np.uint64) + start) * golden
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def lowest(keys: npt.NDArray[np.uint64], n: int) -> IntArray:
    """The positions of the `n` lowest keys, ascending by position; ties go to the earlier."""
    if n >= len(keys):
        return np.arange(len(keys))
    if n <= 0:
        return np.zeros(0, np.int64)
    edge = np.partition(keys, n - 1)[n - 1]
    below = np.flatnonzero(keys < edge)
    at_edge = np.flatnonzero(keys == edge)[: n - len(below)]
    return np.sort(np.concatenate([below, at_edge]))


def nested_sample(rows: int, n: int, seed: int, reason: str) -> Effect:
    """The `n` rows with the lowest keys, in row order: a sample of 10 lies within that of 20."""
    return sampling(lowest(row_keys(rows, seed), n), rows, reason)


def allot(total: int, shares: Sequence[float]) -> list[int]:
    """Split `total` by `shares` in whole rows that add up, by largest remainders.

    Ties go to the earlier share. Exact: the shares are taken as fractions, not rounded.
    """
    exact = [Fraction(share) for share in shares]
    whole = sum(exact)
    parts = [total * share / whole for share in exact]
    counts = [int(part) for part in parts]
    by_remainder = sorted(range(len(parts)), key=lambda i: (counts[i] - parts[i], i))
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts


def largest_total(available: Sequence[int], shares: Sequence[float]) -> int:
    """The most rows of which every share is there without taking a row twice."""
    exact = [Fraction(share) for share in shares]
    whole = sum(exact)
    return int(min(n * whole / share for n, share in zip(available, exact, strict=True) if share))
