"""Normal form: the text two rows must share to count as the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import polars as pl

Normal = Literal["none", "space", "loose"]


def normal_form(series: pl.Series, how: Normal) -> pl.Series:
    """Each text as it is compared, shape (rows,).

    Args:
        series: The texts.
        how: `none` leaves them; `space` makes one space of every run of white space and
            strips the ends; `loose` also applies NFKC and lower case and drops punctuation.
    """
    if how == "none":
        return series
    if how == "loose":
        ascii_only = series.str.len_bytes().sum() == series.str.len_chars().sum()
        if not ascii_only:
            series = series.str.normalize("NFKC")
        series = series.str.to_lowercase().str.replace_all(r"[^\w\s]+", " ")
    return series.str.replace_all(r"\s+", " ").str.strip_chars()
