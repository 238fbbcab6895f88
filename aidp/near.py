"""Near duplicates: rows whose texts share most of their grams, found by MinHash, then checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from aidp.buffers import TextBuffer, over_parts, text_buffer
from aidp.effect import Effect, IntArray, keeping
from aidp.errors import AidpError
from aidp.operators import operator
from aidp.schema import as_names, joined_texts, strings

if TYPE_CHECKING:
    import pyarrow as pa

Grams = Literal["auto", "words", "chars"]
SHORT_TEXT_WORDS = 20
SHORT_ROWS_SHARE = 0.05
PROBED_ROWS = 10_000
MISSED_AT_THRESHOLD = 0.002


@operator(cost="linear", example='deduplicate_by_minhash(data, column="prompt", threshold=0.8)')
def deduplicate_by_minhash(
    table: pa.Table,
    *,
    column: str | list[str] = "text",
    threshold: float = 0.8,
    grams: Grams = "auto",
    n: int = 5,
    permutations: int = 128,
    seed: int = 0,
    num_proc: int = 1,
) -> Effect:
    """Drop rows whose text is nearly that of an earlier row that stays.

    MinHash with banding (Broder 1997; Leskovec, Rajaraman and Ullman, chapter 3) proposes
    pairs, and a row only leaves when the exact Jaccard index of the two sets of grams is at
    least `threshold`; so every row that leaves has a kept twin that near. Letters are
    compared without ASCII case.

    Args:
        table: The rows.
        column: The text column or columns.
        threshold: The least Jaccard index of a near-duplicate, above 0 to 1.
        grams: Runs of `n` words, or of `n` characters for short texts and for scripts
            without blanks. `auto` takes words if at least 95 % of
            (10,000 evenly spread) rows have 20.
        n: Words or characters in a gram.
        permutations: Length of the signature; longer finds pairs at the threshold more surely.
        seed: Of the permutations; it can only change which pairs are missed.
        num_proc: Threads; the rows that stay do not depend on it.

    Raises:
        AidpError: A column is missing or holds no text, or an option is out of range.
    """
    if not 0 < threshold <= 1:
        raise AidpError(f"threshold is {threshold}, expected above 0 and at most 1")
    if n < 1 or permutations < 1:
        raise AidpError(f"n is {n} and permutations {permutations}, expected at least 1")
    values = _values(table, column)
    words = _in_words(values) if grams == "auto" else grams == "words"
    bands = banding(threshold, permutations)
    keys = _band_keys(values, words, n, bands, permutations, seed, num_proc)
    twins = _twins(values, words, n, keys, threshold)
    notes = {"grams": "words" if words else "chars", "bands": bands}
    return keeping(twins == np.arange(len(twins)), "near-duplicate", twins=twins, notes=notes)


def banding(threshold: float, permutations: int) -> int:
    """The fewest bands that miss at most 0.2 % of the pairs just at `threshold`.

    A pair of Jaccard index s shares one of b bands of r rows with probability
    1 - (1 - s^r)^b.
    """
    for rows in range(permutations, 1, -1):
        bands = permutations // rows
        if (1 - threshold**rows) ** bands <= MISSED_AT_THRESHOLD:
            return bands
    return permutations


def _values(table: pa.Table, column: str | list[str]) -> pa.ChunkedArray:
    import polars as pl
    import pyarrow as pa

    names = as_names(column)
    if len(names) == 1:
        return strings(table, names[0])
    joined = joined_texts(table, names).to_arrow(compat_level=pl.CompatLevel.oldest())
    return pa.chunked_array([joined])


def _texts_at(values: pa.ChunkedArray, rows: IntArray) -> TextBuffer:
    """The texts at ascending `rows`; a filter, because a take first copies the whole column."""
    mask = np.zeros(len(values), np.bool_)
    mask[rows] = True
    return text_buffer(values.filter(mask))


def _in_words(values: pa.ChunkedArray) -> bool:
    from aidp.kernels import word_counts

    probed = np.linspace(0, len(values) - 1, min(len(values), PROBED_ROWS)).astype(np.int64)
    buffer = _texts_at(values, probed)
    counts = np.empty(len(buffer), np.int64)
    word_counts(buffer.data, buffer.offsets, counts)
    return float((counts < SHORT_TEXT_WORDS).mean()) <= SHORT_ROWS_SHARE


def _band_keys(
    values: pa.ChunkedArray,
    words: bool,
    n: int,
    bands: int,
    permutations: int,
    seed: int,
    threads: int,
) -> npt.NDArray[np.uint32]:
    """The hash of every band of every text's signature, shape (bands, texts)."""
    from aidp.near_kernel import band_keys

    used = permutations // bands * bands
    draw = np.random.default_rng(seed)
    factors = draw.integers(0, 2**32, used, np.uint32) | np.uint32(1)
    terms = draw.integers(0, 2**32, used, np.uint32)
    keys = np.empty((bands, len(values)), np.uint32)
    first = 0

    def sign(part: TextBuffer, start: int, stop: int) -> None:
        own = np.empty((bands, stop - start), np.uint32)
        band_keys(part.data, part.offsets, words, n, factors, terms, bands, own)
        keys[:, first + start : first + stop] = own

    for chunk in values.chunks:
        over_parts(sign, text_buffer(chunk), threads)
        first += len(chunk)
    return keys


def _twins(
    values: pa.ChunkedArray, words: bool, n: int, keys: npt.NDArray[np.uint32], threshold: float
) -> IntArray:
    """For each row the kept row that stands for it, itself where it stays.

    Only the texts of rows that share a bucket with another are read again.
    """
    from aidp.near_kernel import resolve

    found, count = [], 0
    shares = np.zeros(len(values), np.bool_)
    for band_key in keys:
        rows, numbers = _shared_buckets(band_key)
        found.append((rows, numbers + count))
        count += int(numbers.max(initial=-1)) + 1
        shares[rows] = True
    twins = np.arange(len(values))
    rows, places = np.flatnonzero(shares), np.cumsum(shares) - 1
    if len(rows):
        buckets = np.full((len(rows), len(keys)), -1, np.int32)
        for band, (members, numbers) in enumerate(found):
            buckets[places[members], band] = numbers
        buffer = _texts_at(values, rows)
        heads = np.full(count, -1, np.int32)
        near = np.empty(len(rows), np.int64)
        resolve(buffer.data, buffer.offsets, words, n, buckets, heads, threshold, near)
        twins[rows] = rows[near]
    return twins


def _shared_buckets(keys: npt.NDArray[np.uint32]) -> tuple[IntArray, IntArray]:
    """The rows whose key occurs at least twice, and a number from 0 on for each such key.

    Keys that two bitmaps show to be alone are not sorted.
    """
    from aidp.near_kernel import maybe_repeated

    rows = np.empty(len(keys) + 1, np.int64)
    words = 1 << max(0, (16 * len(keys) - 1).bit_length() - 6)
    once, twice = np.zeros(words, np.uint64), np.zeros(words, np.uint64)
    rows = rows[: maybe_repeated(keys, once, twice, rows)]
    rows = rows[np.argsort(keys[rows], kind="stable")]
    ranked = keys[rows]
    same = ranked[1:] == ranked[:-1]
    shared = np.append(same, False) | np.append(False, same)[: len(ranked)]
    starts = ~np.append(False, same)[: len(ranked)]
    return rows[shared], np.cumsum(starts[shared]) - 1
