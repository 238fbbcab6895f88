"""Quality: scores of texts by simple statistics, no model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aidp.effect import Effect
from aidp.operators import operator
from aidp.schema import joined_texts, set_column

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

RULES = ("length", "words", "letters", "symbols", "lines", "variety")


@operator(
    each_row=True,
    summed=("rows_that_break",),
    example='score_text_quality(data, column="prompt", output="quality")',
)
def score_text_quality(
    table: pa.Table, *, column: str | list[str] = "text", output: str = "quality"
) -> Effect:
    """Add the share of six rules of thumb that a text keeps, 0 to 1.

    Inspired by the filters of Gopher (Rae et al. 2021) and C4 (Raffel et al. 2020): between
    3 and 10,000 words; a mean word of 2 to 12 characters; at least 60 % letters among the
    characters that are no white space; at most one `#`, `...` or bar in ten words; at most
    30 % repeated lines; at least 20 % distinct words. For prose: code, SMILES and tables
    score low without being bad.

    Args:
        table: The rows.
        column: The text column or columns.
        output: The new column of floats.

    Raises:
        AidpError: A column is missing or holds no text.
    """
    import polars as pl

    frame = pl.DataFrame({"text": joined_texts(table, column)})
    rules = frame.with_columns(*_counts()).select(*_rules())
    scores = rules.select(pl.mean_horizontal(RULES)).to_series()
    broken = {name: int((~rules[name]).sum()) for name in RULES}
    made = set_column(table, output, scores.to_arrow())
    return Effect(table=made, notes={"rows_that_break": broken})


def _counts() -> list[pl.Expr]:
    import polars as pl

    text = pl.col("text")
    words = text.str.extract_all(r"\S+")
    lines = text.str.split("\n")
    return [
        words.list.len().alias("n"),
        words.list.n_unique().alias("distinct"),
        text.str.count_matches(r"\S").alias("visible"),
        text.str.count_matches(r"\p{L}").alias("letters_seen"),
        text.str.count_matches(r"#|\.\.\.|\u2026|\|").alias("marks"),
        lines.list.len().alias("lines_seen"),
        lines.list.n_unique().alias("lines_distinct"),
    ]


def _rules() -> list[pl.Expr]:
    import polars as pl

    n, visible = pl.col("n"), pl.col("visible")
    word = visible / n.clip(1)
    return [
        n.is_between(3, 10_000).alias("length"),
        word.is_between(2, 12).alias("words"),
        (pl.col("letters_seen") >= 0.6 * visible).alias("letters"),
        (pl.col("marks") <= 0.1 * n).alias("symbols"),
        (pl.col("lines_distinct") >= 0.7 * pl.col("lines_seen")).alias("lines"),
        (pl.col("distinct") >= 0.2 * n).alias("variety"),
    ]
