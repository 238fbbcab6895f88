"""Clusters: unit vectors grouped around centres by spherical k-means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aidp.effect import IntArray
from aidp.encode import Vectors, unit

TRAINED_ON = 20_000
ROUNDS = 8
BLOCK_ROWS = 4_096


@dataclass(frozen=True, slots=True)
class Clusters:
    """Centres and, for each vector, its nearest ones.

    Attributes:
        centres: Unit vectors, shape (k, dimensions).
        nearest: The nearest centres of each vector, nearest first, shape (rows, probes).
        likeness: Cosine to the nearest centre, shape (rows,).
    """

    centres: Vectors
    nearest: IntArray
    likeness: Vectors


def cluster(vectors: Vectors, k: int, *, seed: int, probes: int = 1) -> Clusters:
    """Group `vectors`, shape (rows, dimensions), around `k` centres.

    Centres are trained on at most 20,000 vectors drawn with `seed`; spherical k-means as in
    Dhillon and Modha (2001).
    """
    draw = np.random.default_rng(seed)
    k = max(1, min(k, len(vectors)))
    sample = vectors
    if len(vectors) > TRAINED_ON:
        sample = vectors[np.sort(draw.choice(len(vectors), TRAINED_ON, replace=False))]
    k = min(k, len(sample))
    centres = sample[np.sort(draw.choice(len(sample), k, replace=False))].copy()
    for _ in range(ROUNDS if k > 1 else 1):
        nearest, _ = _assign(sample, centres, 1)
        centres = _centres(sample, nearest[:, 0], centres)
    nearest, likeness = _assign(vectors, centres, min(probes, k))
    return Clusters(centres, nearest, likeness)


def _assign(vectors: Vectors, centres: Vectors, probes: int) -> tuple[IntArray, Vectors]:
    nearest = np.empty((len(vectors), probes), np.int64)
    likeness = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), BLOCK_ROWS):
        cosines = vectors[start : start + BLOCK_ROWS] @ centres.T
        stop = start + len(cosines)
        if probes == 1:
            nearest[start:stop, 0] = cosines.argmax(axis=1)
        else:
            nearest[start:stop] = np.argsort(-cosines, axis=1, kind="stable")[:, :probes]
        likeness[start:stop] = cosines.max(axis=1)
    return nearest, likeness


def _centres(vectors: Vectors, assigned: IntArray, old: Vectors) -> Vectors:
    """The mean direction of each group; a centre without vectors stays where it was."""
    order = np.argsort(assigned, kind="stable")
    sizes = np.bincount(assigned, minlength=len(old))
    filled = np.flatnonzero(sizes)
    starts = np.concatenate([[0], np.cumsum(sizes)])[:-1]
    sums = np.add.reduceat(vectors[order], starts[filled], axis=0)
    new = old.copy()
    new[filled] = sums
    return unit(new)
