"""Schema: the columns an operator asks for, found and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from aidp.errors import AidpError, did_you_mean

if TYPE_CHECKING:
    import polars as pl


def require(table: pa.Table, column: str) -> pa.ChunkedArray:
    """The column of that name.

    Raises:
        AidpError: There is none; the sentence names the nearest.
    """
    if column not in table.column_names:
        raise AidpError(
            f"there is no column {column!r}; {did_you_mean(column, table.column_names)}",
            column=column,
        )
    return table.column(column)


def strings(table: pa.Table, column: str, *, nulls: bool = False) -> pa.ChunkedArray:
    """The column of that name, which must hold strings.

    Args:
        table: The rows.
        column: Its name.
        nulls: Whether missing values are welcome.

    Raises:
        AidpError: It is missing, of another type, or has a null where none may be.
    """
    values = require(table, column)
    if pa.types.is_null(values.type) and nulls:
        values = values.cast(pa.large_string())
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        raise AidpError(
            f"holds {values.type}, expected strings; cast it, or name a text column", column=column
        )
    if values.null_count and not nulls:
        row = int(np.flatnonzero(values.is_null().to_numpy())[0])
        raise AidpError(
            "the text is null, expected a string; filter such rows out first, "
            f"for example where={column + ' IS NOT NULL'!r}",
            column=column,
            row=row,
        )
    return values


def text_list(table: pa.Table, column: str) -> list[str]:
    """`strings` as Python strings.

    Raises:
        AidpError: The column is missing, of another type, or has a null.
    """
    values: list[str] = strings(table, column).to_pylist()
    return values


def texts(table: pa.Table, column: str, *, nulls: bool = False) -> pl.Series:
    """`strings` as a polars series of the same length."""
    import polars as pl

    series = pl.from_arrow(strings(table, column, nulls=nulls))
    assert isinstance(series, pl.Series)
    return series.alias(column)


def joined_texts(table: pa.Table, columns: str | list[str]) -> pl.Series:
    """One text per row: the column, or the columns with a line break between them."""
    import polars as pl

    names = as_names(columns)
    if len(names) == 1:
        return texts(table, names[0])
    frame = pl.DataFrame([texts(table, name) for name in names])
    return frame.select(pl.concat_str(names, separator="\n")).to_series()


def as_names(columns: str | list[str]) -> list[str]:
    """One or several column names as a list.

    Raises:
        AidpError: The list is empty.
    """
    names = [columns] if isinstance(columns, str) else list(columns)
    if not names:
        raise AidpError("the list of columns is empty, expected at least one name")
    return names


def numbers(table: pa.Table, column: str) -> npt.NDArray[np.float64]:
    """The column of that name as floats, shape (rows,); null is NaN.

    Raises:
        AidpError: It is missing or holds no numbers.
    """
    values = require(table, column)
    kind = values.type
    if pa.types.is_null(kind):
        return np.full(len(values), np.nan)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise AidpError(
            f"holds {kind}, expected numbers; name a score column or cast it", column=column
        )
    floats = values.cast(pa.float64()) if not pa.types.is_boolean(kind) else values.cast(pa.int8())
    return np.asarray(floats.to_numpy(zero_copy_only=False), np.float64)


def is_list(kind: pa.DataType) -> bool:
    """Whether values of this type are lists, of any of Arrow's kinds."""
    return any(
        test(kind)
        for test in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    )


def set_column(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    """`table` with `name` replaced, or appended where it is new."""
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, values)
    return table.append_column(name, values)
