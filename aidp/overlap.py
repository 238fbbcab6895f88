"""Overlap: training rows that say what an evaluation set says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from aidp.buffers import TextBuffer, over_parts
from aidp.effect import BoolArray, Effect, keeping_by_reason
from aidp.errors import AidpError
from aidp.normal import normal_form
from aidp.operators import operator
from aidp.readable import LOOSE_BYTES, hashed_words, readable, series_readable
from aidp.schema import joined_texts
from aidp.smiles import canonical_series
from aidp.tables import table_of

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    from datasets import Dataset

Method = Literal["auto", "exact", "words", "chars", "smiles"]
WORDS_IN_GRAM = 13
CHARS_IN_GRAM = 8
LEAST_FREQUENT = 4


@operator(each_row=True, example='decontaminate(data, column="prompt", against=validation)')
def decontaminate(
    table: pa.Table,
    *,
    column: str | list[str] = "text",
    against: Dataset,
    against_column: str | list[str] | None = None,
    method: Method = "auto",
    n: int | None = None,
    overlap: float = 0.5,
    short_overlap: float = 0.8,
    max_document_frequency: float = 0.01,
    num_proc: int = 1,
) -> Effect:
    """Drop rows that overlap with a row of `against`.

    Every method drops rows whose text is equal after `loose` normalisation. `words` also
    compares 13-grams of words, for prose: a row leaves when the share of an evaluation row's
    grams found in it, or of its own grams found in one evaluation row, is at least
    `overlap`. `chars` compares 8-grams of characters, for short texts: a row leaves when at
    least `short_overlap` of an evaluation row's grams are in it. `auto` uses words for
    evaluation rows of at least 13 words and characters for the shorter ones. `smiles`
    compares canonical SMILES only. One shared gram alone is never enough, and grams that
    many evaluation rows share are taken for the prompt's template and ignored.

    Args:
        table: The rows.
        column: The text column or columns to look at.
        against: The evaluation rows; a recipe names a source.
        against_column: Its column or columns, where they have other names.
        method: How to compare.
        n: Units in a gram, where 13 words or 8 characters do not suit; not with `auto`.
        overlap: The least share of word grams that counts as overlap, above 0 to 1.
        short_overlap: The same for character grams.
        max_document_frequency: A gram in more than this share of the distinct evaluation
            rows, and in more than 4, is ignored.
        num_proc: Threads, and processes for canonical SMILES.

    Raises:
        AidpError: A column is missing or holds no text, or an option is out of range.
    """
    _check(n, method, overlap, short_overlap)
    evaluation = joined_texts(table_of(against), against_column or column)
    if method == "smiles":
        rows = canonical_series(joined_texts(table, column), num_proc=num_proc)
        evaluation = canonical_series(evaluation, num_proc=num_proc)
        return keeping_by_reason(_equal(rows, evaluation).astype(np.int64), ("same molecule",))
    parts = readable(table, column)
    hashes = np.empty(table.num_rows, np.uint64)
    passes = _passes(evaluation.unique(maintain_order=True), method, n, overlap, short_overlap)
    codes = np.zeros(table.num_rows, np.int64)
    for one in passes:
        found = _shared(parts, one, max_document_frequency, num_proc, hashes)
        codes[(codes == 0) & found] = 2 if one.words else 3
    if not any(one.words for one in passes):
        hashes = np.concatenate([hashed_words(part) for part in parts])
    codes[_equal_loosely(table, column, hashes, evaluation)] = 1
    reasons = ("equal to an evaluation row", "shares word grams", "shares character grams")
    return keeping_by_reason(codes, reasons, notes={"evaluation_rows": len(evaluation)})


@dataclass(frozen=True, slots=True)
class _Pass:
    """One comparison: with which evaluation texts, in which units, from which share on."""

    texts: pl.Series
    words: bool
    n: int
    least: float


def _check(n: int | None, method: Method, overlap: float, short_overlap: float) -> None:
    if n is not None and (n < 1 or method not in ("words", "chars")):
        raise AidpError(f"n is {n} with method {method!r}, expected n >= 1 with words or chars")
    for name, share in (("overlap", overlap), ("short_overlap", short_overlap)):
        if not 0 < share <= 1:
            raise AidpError(f"{name} is {share}, expected above 0 and at most 1")


def _passes(
    texts: pl.Series, method: Method, n: int | None, overlap: float, short_overlap: float
) -> list[_Pass]:
    if method == "exact":
        return []
    if method == "words":
        return [_Pass(texts, True, n or WORDS_IN_GRAM, overlap)]
    if method == "chars":
        return [_Pass(texts, False, n or CHARS_IN_GRAM, short_overlap)]
    long = texts.str.count_matches(r"\S+") >= WORDS_IN_GRAM
    both = [
        _Pass(texts.filter(long), True, WORDS_IN_GRAM, overlap),
        _Pass(texts.filter(~long), False, CHARS_IN_GRAM, short_overlap),
    ]
    return [one for one in both if len(one.texts)]


def _equal(rows: pl.Series, evaluation: pl.Series) -> BoolArray:
    known = evaluation.unique()
    return np.asarray(rows.is_in(known.filter(known != "").implode()).to_numpy())


def _equal_loosely(
    table: pa.Table,
    column: str | list[str],
    hashes: npt.NDArray[np.uint64],
    evaluation: pl.Series,
) -> BoolArray:
    """Which rows equal an evaluation row in `loose` normal form.

    Equal forms have equal words, so the `hashes` of the words find them and the forms decide.
    """
    import polars as pl

    known = hashed_words(series_readable(evaluation))
    suspects = np.flatnonzero(pl.Series(hashes).is_in(pl.Series(known).implode()).to_numpy())
    equal = np.zeros(len(hashes), np.bool_)
    if len(suspects):
        some = joined_texts(table, column).gather(suspects)
        equal[suspects] = _equal(some, evaluation)
        rest = ~equal[suspects]
        found = np.isin(known, hashes[suspects[rest]])
        loose = normal_form(some.filter(rest), "loose")
        equal[suspects[rest]] = _equal(loose, normal_form(evaluation.filter(found), "loose"))
    return equal


@dataclass(frozen=True, slots=True)
class _Index:
    """The grams of the evaluation texts; see `overlap_kernel.find_overlaps`."""

    keys: npt.NDArray[np.uint64]
    slots: npt.NDArray[np.int64]
    bits: npt.NDArray[np.uint64]
    starts: npt.NDArray[np.int64]
    postings: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]


def _shared(
    parts: list[TextBuffer],
    one: _Pass,
    frequency: float,
    threads: int,
    hashes: npt.NDArray[np.uint64],
) -> BoolArray:
    """Which texts share enough with one evaluation text; a pass over words fills `hashes`.

    The bytes are read once for both, because reading them takes longest.
    """
    sealed = series_readable(one.texts)
    if not one.words:
        sealed = TextBuffer(LOOSE_BYTES[sealed.data], sealed.offsets)
    index = _index(sealed, one, frequency)
    share = np.empty(len(hashes), np.float64)
    first = 0
    for buffer in parts:
        rows = slice(first, first + len(buffer))
        _look(buffer, one, index, threads, share[rows], hashes[rows])
        first += len(buffer)
    return share >= one.least


def _look(
    buffer: TextBuffer,
    one: _Pass,
    index: _Index,
    threads: int,
    share: npt.NDArray[np.float64],
    hashes: npt.NDArray[np.uint64],
) -> None:
    """The largest share of each text of one buffer into `share`."""
    from aidp.overlap_kernel import find_overlaps

    if not one.words:
        buffer = TextBuffer(LOOSE_BYTES[buffer.data], buffer.offsets)
    best = np.empty(len(buffer), np.int64)

    def look(part: TextBuffer, start: int, stop: int) -> None:
        find_overlaps(
            part.data,
            part.offsets,
            one.words,
            one.n,
            index.keys,
            index.slots,
            index.bits,
            index.starts,
            index.postings,
            index.sizes,
            one.words,
            best[start:stop],
            share[start:stop],
            hashes[start:stop],
        )

    over_parts(look, buffer, threads)


def _index(buffer: TextBuffer, one: _Pass, frequency: float) -> _Index:
    from aidp import kernels

    size = int(buffer.offsets[-1] - buffer.offsets[0]) + 1
    grams, texts = np.empty(size, np.uint64), np.empty(size, np.int64)
    count = kernels.all_grams(buffer.data, buffer.offsets, one.words, one.n, grams, texts)
    order = np.argsort(grams[:count], kind="stable")
    grams, texts = grams[:count][order], texts[:count][order]
    new = np.ones(count, np.bool_)
    new[1:] = (grams[1:] != grams[:-1]) | (texts[1:] != texts[:-1])
    grams, texts = grams[new], texts[new]
    first = np.flatnonzero(np.append(True, grams[1:] != grams[:-1])[: len(grams)])
    keys, counts = grams[first], np.diff(first, append=len(grams))
    common = counts > max(LEAST_FREQUENT, frequency * len(buffer))
    kept = ~np.repeat(common, counts)
    starts = np.concatenate([[0], np.cumsum(np.where(common, 0, counts))]).astype(np.int64)
    postings = texts[kept]
    slots = np.full(1 << max(4, int(2 * len(keys)).bit_length()), -1, np.int64)
    bits = np.zeros(max(64, len(slots) // 16), np.uint64)
    kernels.fill_table(keys, slots, bits)
    sizes = np.bincount(postings, minlength=len(buffer))
    return _Index(keys, slots, bits, starts, postings, sizes)
