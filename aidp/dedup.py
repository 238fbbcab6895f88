"""Exact duplicates: rows whose texts are equal, found by hash and confirmed by comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from aidp.effect import Effect, IntArray, keeping
from aidp.normal import Normal, normal_form
from aidp.operators import operator
from aidp.schema import as_names, texts
from aidp.smiles import canonical_series

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

Hashes = npt.NDArray[np.uint64]


@operator(example='deduplicate_by_text_hash(data, column=["prompt", "answer"])')
def deduplicate_by_text_hash(
    table: pa.Table,
    *,
    column: str | list[str] = "text",
    normalise: Normal = "none",
    key: Literal["text", "smiles"] = "text",
    keep: Literal["first", "last"] = "first",
    num_proc: int = 1,
) -> Effect:
    """Drop rows whose text in `column` equals that of an earlier (or later) row.

    A 64-bit hash finds the candidates and the texts themselves decide, so no two different
    rows are ever taken for one.

    Args:
        table: The rows.
        column: One text column, or several that must all be equal.
        normalise: What is ignored in the comparison: nothing, white space (`space`), or also
            case, punctuation and Unicode forms (`loose`).
        key: `smiles` compares canonical SMILES, so that two spellings of one molecule are
            equal; text that is no molecule is compared as text.
        keep: Which row of several equal ones stays.
        num_proc: Processes for canonical SMILES.

    Raises:
        AidpError: A column is missing, holds no text, or holds nulls.
    """
    twins = first_equal(comparable(table, column, normalise, key, num_proc), last=keep == "last")
    mask = twins == np.arange(len(twins))
    return keeping(mask, "duplicate", twins=twins)


def comparable(
    table: pa.Table,
    column: str | list[str],
    normalise: Normal,
    key: Literal["text", "smiles"],
    num_proc: int,
) -> list[pl.Series]:
    """The texts of each column in the form that `deduplicate_by_text_hash` compares."""
    series = []
    for name in as_names(column):
        values = texts(table, name)
        if key == "smiles":
            values = canonical_series(values, num_proc=num_proc)
        series.append(normal_form(values, normalise))
    return series


def first_equal(series: list[pl.Series], *, last: bool = False) -> IntArray:
    """For each row the first (or last) row that is equal in all of `series`, shape (rows,)."""
    hashes = combined_hash(series)
    suspects = repeated(hashes)
    twins = np.arange(len(hashes))
    if len(suspects):
        found = first_of_hash(hashes[suspects], last=last)
        twins[suspects] = suspects[confirmed(found, [one.gather(suspects) for one in series], last)]
    return twins


def combined_hash(series: list[pl.Series]) -> Hashes:
    """One hash of all of `series` for each row, shape (rows,)."""
    combined = series[0].hash(seed=0).to_numpy()
    for values in series[1:]:
        combined = combined * np.uint64(0x9E3779B97F4A7C15) + values.hash(seed=0).to_numpy()
    return combined


def repeated(hashes: Hashes) -> IntArray:
    """The positions of hashes that occur more than once, ascending.

    Sorted bare numbers take a fifth of the time of a hash table that outgrows the cache.
    """
    import polars as pl

    ranked = np.sort(hashes)
    twice = ranked[1:][ranked[1:] == ranked[:-1]]
    if len(twice) == 0:
        return np.zeros(0, np.int64)
    return np.flatnonzero(pl.Series(hashes).is_in(pl.Series(twice).implode()).to_numpy())


def first_of_hash(hashes: Hashes, *, last: bool = False) -> IntArray:
    """For each position the first (or last) one of the same hash, shape (n,)."""
    order = np.argsort(hashes, kind="stable")
    ranked = hashes[order]
    edges = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1])[: len(ranked)])
    sizes = np.diff(edges, append=len(ranked))
    chosen = edges + sizes - 1 if last else edges
    found = np.empty(len(hashes), np.int64)
    found[order] = np.repeat(order[chosen], sizes)
    return found


def confirmed(found: IntArray, series: list[pl.Series], last: bool) -> IntArray:
    """`found`, where each text does equal that of the row found; else by the texts alone."""
    import polars as pl

    if all(one.eq_missing(one.gather(found)).all() for one in series):
        return found
    names = [str(i) for i in range(len(series))]
    rows = pl.Series("row", np.arange(len(found)))
    frame = pl.DataFrame([one.alias(name) for one, name in zip(series, names, strict=True)])
    chosen = pl.col("row").last() if last else pl.col("row").first()
    grouped = frame.with_columns(rows).select(chosen.over(names)).to_series()
    return np.asarray(grouped.to_numpy())
