"""Exact duplicates: rows whose texts are equal, found by hash and confirmed by comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from aidp.effect import Effect, IntArray, keeping
from aidp.normal import Normal, normal_form
from aidp.operators import operator
from aidp.schema import as_names, texts
from aidp.smiles import canonical_series

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


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
    series = []
    for name in as_names(column):
        values = texts(table, name)
        if key == "smiles":
            values = canonical_series(values, num_proc=num_proc)
        series.append(normal_form(values, normalise))
    twins = first_equal(series, last=keep == "last")
    mask = twins == np.arange(len(twins))
    return keeping(mask, "duplicate", twins=twins)


def first_equal(series: list[pl.Series], *, last: bool = False) -> IntArray:
    """For each row the first (or last) row that is equal in all of `series`, shape (rows,)."""
    import polars as pl

    rows = len(series[0])
    twins = np.arange(rows)
    hashes = _combined_hash(series)
    suspects = np.flatnonzero(pl.Series(hashes).is_duplicated().to_numpy())
    if len(suspects) == 0:
        return twins
    frame = pl.DataFrame(
        {str(i): values.gather(suspects) for i, values in enumerate(series)}
    ).with_columns(pl.Series("row", suspects))
    names = [str(i) for i in range(len(series))]
    chosen = pl.col("row").last() if last else pl.col("row").first()
    twins[suspects] = frame.select(chosen.over(names)).to_series().to_numpy()
    return twins


def _combined_hash(series: list[pl.Series]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    combined = series[0].hash(seed=0).to_numpy()
    for values in series[1:]:
        combined = combined * np.uint64(0x9E3779B97F4A7C15) + values.hash(seed=0).to_numpy()
    return combined
