"""Length: rows by the number of words or tokens of their text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aidp.effect import Effect, keeping_by_reason
from aidp.errors import AidpError
from aidp.operators import operator
from aidp.schema import joined_texts

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


@operator(each_row=True, example='filter_by_word_count(data, column="prompt", least=3, most=400)')
def filter_by_word_count(
    table: pa.Table,
    *,
    column: str | list[str] = "text",
    least: int = 1,
    most: int | None = None,
) -> Effect:
    """Keep rows with `least` to `most` words, split at white space, in `column` together.

    Args:
        table: The rows.
        column: The text column or columns.
        least: The fewest words that stay.
        most: The most words that stay; None sets no end.

    Raises:
        AidpError: A column is missing, holds no text, or `least` is above `most`.
    """
    series = joined_texts(table, column)
    counts = series.str.count_matches(r"\S+").to_numpy()
    return _between(counts, least, most, "words")


@operator(
    each_row=True, example='filter_by_token_length(data, column=["prompt", "answer"], most=2048)'
)
def filter_by_token_length(
    table: pa.Table,
    *,
    column: str | list[str] = "text",
    least: int = 1,
    most: int,
    tokenizer: str | None = None,
    bytes_per_token: float = 4.0,
) -> Effect:
    """Keep rows with `least` to `most` tokens in `column` together.

    Args:
        table: The rows.
        column: The text column or columns.
        least: The fewest tokens that stay.
        most: The most tokens that stay.
        tokenizer: A folder with a `tokenizer.json`, or that file, for exact counts. Without
            it the count is UTF-8 bytes / `bytes_per_token`, rounded up, and the account says
            that it is an estimate.
        bytes_per_token: For the estimate only.

    Raises:
        AidpError: The tokenizer cannot be read, a column is missing or holds no text.
    """
    series = joined_texts(table, column)
    if tokenizer is None:
        counts = np.ceil(series.str.len_bytes().to_numpy() / bytes_per_token).astype(np.int64)
        how = f"estimated as bytes / {bytes_per_token}"
    else:
        counts = _token_counts(series, tokenizer)
        how = "counted by the tokenizer"
    effect = _between(counts, least, most, "tokens")
    return Effect(keep=effect.keep, gone=effect.gone, notes={"tokens": how})


def _token_counts(series: pl.Series, tokenizer: str) -> npt.NDArray[np.int64]:
    from pathlib import Path

    from tokenizers import Tokenizer

    path = Path(tokenizer)
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.exists():
        raise AidpError(f"there is no {str(file)!r}; give a folder with a tokenizer.json")
    loaded = Tokenizer.from_file(str(file))
    encoded = loaded.encode_batch_fast(series.to_list(), add_special_tokens=False)
    return np.fromiter((len(one.ids) for one in encoded), np.int64, len(series))


def _between(counts: npt.NDArray[np.integer], least: int, most: int | None, unit: str) -> Effect:
    if most is not None and least > most:
        raise AidpError(f"least is {least} and most is {most}, expected least <= most")
    codes = (counts < least).astype(np.int64)
    if most is not None:
        codes += 2 * (counts > most)
    return keeping_by_reason(codes, (f"fewer than {least} {unit}", f"more than {most} {unit}"))
