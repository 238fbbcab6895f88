"""Semantic duplicates: rows whose vectors point the same way as an earlier row's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aidp.clusters import BLOCK_ROWS, cluster
from aidp.effect import Effect, IntArray, keeping
from aidp.embed import row_vectors
from aidp.encode import Vectors
from aidp.errors import AidpError
from aidp.operators import operator

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_IN_CLUSTER = 1_000
PROBES = 2


@operator(
    cost="quadratic in clusters",
    example='deduplicate_by_embedding(data, column="prompt", threshold=0.9)',
)
def deduplicate_by_embedding(
    table: pa.Table,
    *,
    column: str | list[str] = "text",
    embedding: str | None = None,
    threshold: float = 0.9,
    seed: int = 0,
    num_proc: int = 1,
) -> Effect:
    """Drop rows whose vector has a cosine of at least `threshold` with an earlier kept row's.

    Rows are compared within clusters of about 1,000, each row with its two nearest ones
    (after SemDeDup, Abbas et al. 2023); up to 1,000 rows all pairs are compared. Every row
    that leaves has a kept twin that near.

    Args:
        table: The rows.
        column: The text, where there is no column of vectors; hashed n-grams then stand in.
        embedding: A column of vectors, such as `generate_text_embeddings` adds.
        threshold: The least cosine of a duplicate, -1 to 1.
        seed: Of the clusters.
        num_proc: Threads for hashing.

    Raises:
        AidpError: A column is missing or of another type, or `threshold` is out of range.
    """
    if not -1 <= threshold <= 1:
        raise AidpError(f"threshold is {threshold}, expected -1 to 1")
    vectors, how = row_vectors(table, column, embedding, num_proc)
    pairs = near_pairs(vectors, threshold, seed)
    twins = _resolve(pairs, len(vectors))
    mask = twins == np.arange(len(vectors))
    return keeping(mask, "semantic duplicate", twins=twins, notes={"encoder": how})


def near_pairs(vectors: Vectors, threshold: float, seed: int) -> IntArray:
    """Pairs (earlier, later) with a cosine of at least `threshold`, shape (pairs, 2), sorted."""
    k = -(-len(vectors) // ROWS_IN_CLUSTER)
    nearest = cluster(vectors, k, seed=seed, probes=PROBES).nearest
    members = _members(nearest[:, 0], k)
    found = []
    for group, rows in enumerate(members):
        askers = np.flatnonzero((nearest == group).any(axis=1))
        for start in range(0, len(askers), BLOCK_ROWS):
            block = askers[start : start + BLOCK_ROWS]
            near = np.argwhere(vectors[block] @ vectors[rows].T >= threshold)
            pair = np.stack([rows[near[:, 1]], block[near[:, 0]]], axis=1)
            found.append(np.sort(pair[pair[:, 0] != pair[:, 1]], axis=1))
    pairs = np.concatenate(found)
    return np.unique(pairs[:, [1, 0]], axis=0)[:, [1, 0]]


def _members(assigned: IntArray, k: int) -> list[IntArray]:
    order = np.argsort(assigned, kind="stable")
    edges = np.searchsorted(assigned[order], np.arange(k + 1))
    return [order[edges[i] : edges[i + 1]] for i in range(k)]


def _resolve(pairs: IntArray, rows: int) -> IntArray:
    """Rows in order: one with an earlier kept partner leaves for the first such partner."""
    twins = np.arange(rows)
    for earlier, later in pairs.tolist():
        if twins[later] == later and twins[earlier] == earlier:
            twins[later] = earlier
    return twins
