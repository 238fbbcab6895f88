"""Conflicts: rows that ask the same and answer differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from aidp.dedup import first_equal
from aidp.effect import Effect, keeping, keeping_by_reason
from aidp.normal import Normal, normal_form
from aidp.operators import operator
from aidp.schema import as_names, texts

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


@operator(example='drop_conflicts(data, key="prompt", answer="answer", keep="majority")')
def drop_conflicts(
    table: pa.Table,
    *,
    key: str | list[str] = "prompt",
    answer: str = "answer",
    keep: Literal["none", "majority"] = "none",
    normalise: Normal = "space",
) -> Effect:
    """Drop rows that share `key` but not `answer` with another row.

    Args:
        table: The rows.
        key: The column or columns that ask.
        answer: The column that answers; numbers are compared by value.
        keep: `none` drops all rows of a conflict; `majority` keeps those with its most
            frequent answer, and none where two answers are equally frequent.
        normalise: What is ignored when two keys or answers are compared.

    Raises:
        AidpError: A column is missing or holds nulls.
    """
    keys = first_equal([normal_form(texts(table, name), normalise) for name in as_names(key)])
    answers = first_equal([_answers(table, answer, normalise)])
    frame = _counted(keys, answers)
    conflict = frame.get_column("answers").to_numpy() > 1
    if keep == "none":
        return keeping(~conflict, "conflicting answers")
    best = frame.get_column("best").to_numpy()
    tied = conflict & (frame.get_column("leaders").to_numpy() > 1)
    minority = conflict & ~tied & (frame.get_column("votes").to_numpy() < best)
    codes = tied.astype(np.int64) + 2 * minority
    return keeping_by_reason(codes, ("conflicting answers, tied", "outvoted answer"))


def _answers(table: pa.Table, answer: str, normalise: Normal) -> pl.Series:
    import pyarrow as pa

    if answer in table.column_names and not pa.types.is_nested(table.schema.field(answer).type):
        at = table.column_names.index(answer)
        table = table.set_column(at, answer, table.column(answer).cast(pa.large_string()))
    return normal_form(texts(table, answer), normalise)


def _counted(keys: np.ndarray, answers: np.ndarray) -> pl.DataFrame:
    """Per row: answers of its key, votes for its own, votes for the best, answers with as many."""
    import polars as pl

    frame = pl.DataFrame({"key": keys, "answer": answers})
    frame = frame.with_columns(
        pl.col("answer").n_unique().over("key").alias("answers"),
        pl.len().over("key", "answer").alias("votes"),
    ).with_columns(pl.col("votes").max().over("key").alias("best"))
    leading = pl.col("answer").filter(pl.col("votes") == pl.col("best"))
    return frame.with_columns(leading.n_unique().over("key").alias("leaders"))
