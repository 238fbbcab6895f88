"""Diversity: a few rows that stand for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aidp.clusters import cluster
from aidp.effect import Effect, IntArray, sampling
from aidp.embed import row_vectors
from aidp.errors import AidpError
from aidp.operators import operator
from aidp.schema import numbers

if TYPE_CHECKING:
    import pyarrow as pa


@operator(
    cost="quadratic in clusters", example='select_diverse(data, column="prompt", k=1000, seed=0)'
)
def select_diverse(
    table: pa.Table,
    *,
    k: int,
    column: str | list[str] = "text",
    embedding: str | None = None,
    score: str | None = None,
    clusters: int | None = None,
    seed: int = 0,
    num_proc: int = 1,
) -> Effect:
    """Keep `k` rows spread over clusters of like rows, in their order.

    Clusters give one row each in turn until there are `k`, so that a small one is not lost.

    Args:
        table: The rows.
        k: How many stay; all where there are fewer.
        column: The text, where there is no column of vectors; hashed n-grams then stand in.
        embedding: A column of vectors.
        score: A column of numbers: a cluster gives its best first; else its most typical.
        clusters: How many; None takes the square root of the rows, at most `k`.
        seed: Of the clusters.
        num_proc: Threads for hashing.

    Raises:
        AidpError: A column is missing or of another type, a score is NaN, or `k` is below 1.
    """
    if k < 1 or (clusters is not None and clusters < 1):
        raise AidpError(f"k is {k} and clusters {clusters}, expected at least 1")
    vectors, how = row_vectors(table, column, embedding, num_proc)
    groups = clusters or max(1, min(k, round(len(vectors) ** 0.5)))
    made = cluster(vectors, groups, seed=seed)
    merit = made.likeness.astype(np.float64) if score is None else numbers(table, score)
    if np.isnan(merit).any():
        row = int(np.flatnonzero(np.isnan(merit))[0])
        raise AidpError("the score is null or NaN, expected a number", column=score, row=row)
    keep = _in_turn(made.nearest[:, 0], merit, k)
    notes = {"encoder": how, "clusters": len(made.centres)}
    return sampling(keep, table.num_rows, "not chosen", notes=notes)


def _in_turn(assigned: IntArray, merit: npt.NDArray[np.float64], k: int) -> IntArray:
    """Rows by their rank within the cluster, best merit first; the first `k`, ascending."""
    order = np.lexsort((np.arange(len(merit)), -merit, assigned))
    starts = np.flatnonzero(np.diff(assigned[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(order)))
    rank = np.arange(len(order)) - np.repeat(starts, sizes)
    chosen = order[np.lexsort((-merit[order], rank))][:k]
    return np.sort(chosen)
