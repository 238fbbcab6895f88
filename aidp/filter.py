"""Filter: rows by an expression, or by a Python function."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from aidp.effect import BoolArray, Effect, keeping
from aidp.errors import AidpError
from aidp.operators import operator
from aidp.rows import Row, RowColumns
from aidp.schema import require

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

BATCH_ROWS = 10_000


@operator(
    each_row=True,
    example="select_by_filter(data, where=\"length(prompt) >= 30 AND source IN ('a', 'b')\")",
)
def select_by_filter(
    table: pa.Table,
    *,
    where: str | None = None,
    predicate: Callable[..., Any] | None = None,
    reason: str | None = None,
) -> Effect:
    """Keep the rows for which a condition holds.

    Args:
        table: The rows.
        where: A SQL condition over the columns, such as `length(prompt) >= 30 AND source IN
            ('a', 'b')`; also `LIKE`, `REGEXP`, `IS NOT NULL`, arithmetic and functions. A
            condition that is null does not hold.
        predicate: A Python function of one row, a mapping from column to value. Only from
            Python: a recipe, being data, has `where`.
        reason: What the account says of the rows that leave; None repeats the condition.

    Raises:
        AidpError: Not exactly one of the two is given, the condition is not understood or
            gives no truth value, a column is missing, or the predicate raises; then the
            error names the row and carries the cause.
    """
    if (where is None) == (predicate is None):
        raise AidpError("expected exactly one of where and predicate")
    if where is not None:
        return keeping(_where_mask(table, where), reason or f"not ({where})")
    assert predicate is not None
    name = getattr(predicate, "__name__", "predicate")
    return keeping(_predicate_mask(table, predicate), reason or f"not {name}")


def _where_mask(table: pa.Table, where: str) -> BoolArray:
    import polars as pl

    try:
        expression = pl.sql_expr(where)
    except pl.exceptions.PolarsError as error:
        raise AidpError(f"where={where!r} is no condition: {error}") from None
    if _looks_around(expression):
        raise AidpError(
            f"where={where!r} looks at several rows (an aggregate or a window), expected a "
            "condition on one row; use drop_conflicts, balance_classes or select_by_score"
        )
    frame = _frame(table, expression)
    try:
        truth = frame.select(expression.alias("truth")).to_series()
    except pl.exceptions.PolarsError as error:
        raise AidpError(f"where={where!r} cannot be computed: {error}") from None
    if truth.dtype != pl.Boolean:
        raise AidpError(f"where={where!r} gives {truth.dtype}, expected true or false")
    if len(truth) != table.num_rows:
        raise AidpError(f"where={where!r} gives {len(truth)} values, expected one per row")
    return np.asarray(truth.fill_null(False).to_numpy())


def _looks_around(expression: pl.Expr) -> bool:
    """Whether the expression needs other rows than the one it decides on."""
    tree = str(expression.meta.serialize(format="json"))
    return re.search(r'"(?:Agg|Over|Window)":|"(?:Len|Shift|Diff|Cum\w+)"', tree) is not None


def _frame(table: pa.Table, expression: pl.Expr) -> pl.DataFrame:
    """The columns that `expression` reads, without a copy."""
    import polars as pl

    names = list(dict.fromkeys(expression.meta.root_names()))
    for name in names:
        require(table, name)
    frame = pl.from_arrow(table.select(names or table.column_names[:1]))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _predicate_mask(table: pa.Table, predicate: Callable[[Row], object]) -> BoolArray:
    mask = np.zeros(table.num_rows, np.bool_)
    start = 0
    for batch in table.to_batches(max_chunksize=BATCH_ROWS):
        columns = RowColumns(batch)
        position = 0
        try:
            for position in range(batch.num_rows):
                mask[start + position] = bool(predicate(Row(columns, position)))
        except Exception as error:
            row = start + position
            raise AidpError(
                f"the predicate raised {type(error).__name__}: {error}; mend it or filter the row",
                row=row,
            ) from error
        start += batch.num_rows
    return mask
