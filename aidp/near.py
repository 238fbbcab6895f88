"""Near duplicates: rows whose texts share most of their grams, found by MinHash, then checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from aidp.buffers import TextBuffer, over_parts, text_buffer
from aidp.effect import BoolArray, Effect, IntArray, keeping
from aidp.errors import AidpError
from aidp.operators import operator
from aidp.schema import as_names, joined_texts, strings
from aidp.scratch import Scratch, rows_in_part

if TYPE_CHECKING:
    import pyarrow as pa

Grams = Literal["auto", "words", "chars"]
Chunks = Callable[[], Iterable["pa.Array"]]
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
    check_near(threshold, n, permutations)
    values = near_values(table, column)
    search = Search(threshold, grams, n, permutations, seed, num_proc)
    rows, near, notes = near_rows(lambda: values.chunks, len(values), search, Scratch())
    twins = np.arange(len(values))
    twins[rows] = near
    return keeping(twins == np.arange(len(twins)), "near-duplicate", twins=twins, notes=notes)


@dataclass(frozen=True, slots=True)
class Search:
    """What counts as near and how it is looked for; see `deduplicate_by_minhash`."""

    threshold: float
    grams: Grams
    n: int
    permutations: int
    seed: int
    num_proc: int


def check_near(threshold: float, n: int, permutations: int) -> None:
    """Refuse options that are out of range.

    Raises:
        AidpError: One is.
    """
    if not 0 < threshold <= 1:
        raise AidpError(f"threshold is {threshold}, expected above 0 and at most 1")
    if n < 1 or permutations < 1:
        raise AidpError(f"n is {n} and permutations {permutations}, expected at least 1")


def near_rows(
    chunks: Chunks, count: int, search: Search, scratch: Scratch
) -> tuple[IntArray, IntArray, dict[str, object]]:
    """The rows that share a bucket with another, for each the kept row that stands for it.

    Args:
        chunks: Gives the `count` texts, as often as it is asked.
        count: How many there are.
        search: What to look for.
        scratch: Where arrays as long as the rows lie.

    Returns:
        Rows, ascending; their twins, the row itself where it stays; notes for the account.
    """
    words = _in_words(chunks, count) if search.grams == "auto" else search.grams == "words"
    bands = banding(search.threshold, search.permutations)
    keys = _band_keys(chunks, count, words, bands, search, scratch)
    rows, near = _twins(chunks, words, keys, search, scratch)
    return rows, near, {"grams": "words" if words else "chars", "bands": bands}


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


def near_values(table: pa.Table, column: str | list[str]) -> pa.ChunkedArray:
    """The column, or the columns with a line break between them.

    Raises:
        AidpError: A column is missing, holds no text, or holds nulls.
    """
    import polars as pl
    import pyarrow as pa

    names = as_names(column)
    if len(names) == 1:
        return strings(table, names[0])
    joined = joined_texts(table, names).to_arrow(compat_level=pl.CompatLevel.oldest())
    return pa.chunked_array([joined])


def _in_words(chunks: Chunks, count: int) -> bool:
    from aidp.kernels import word_counts

    probed = np.linspace(0, count - 1, min(count, PROBED_ROWS)).astype(np.int64)
    buffer = Scratch().texts(chunks(), probed)
    counts = np.empty(len(buffer), np.int64)
    word_counts(buffer.data, buffer.offsets, counts)
    return float((counts < SHORT_TEXT_WORDS).mean()) <= SHORT_ROWS_SHARE


def _band_keys(
    chunks: Chunks, count: int, words: bool, bands: int, search: Search, scratch: Scratch
) -> npt.NDArray[np.uint32]:
    """The hash of every band of every text's signature, shape (bands, texts)."""
    from aidp.near_kernel import band_keys

    used = search.permutations // bands * bands
    draw = np.random.default_rng(search.seed)
    factors = draw.integers(0, 2**32, used, np.uint32) | np.uint32(1)
    terms = draw.integers(0, 2**32, used, np.uint32)
    keys = scratch.empty((bands, count), np.uint32)
    first = 0

    def sign(part: TextBuffer, start: int, stop: int) -> None:
        own = np.empty((bands, stop - start), np.uint32)
        band_keys(part.data, part.offsets, words, search.n, factors, terms, bands, own)
        keys[:, first + start : first + stop] = own

    for chunk in chunks():
        over_parts(sign, text_buffer(chunk), search.num_proc)
        first += len(chunk)
    return keys


def _twins(
    chunks: Chunks, words: bool, keys: npt.NDArray[np.uint32], search: Search, scratch: Scratch
) -> tuple[IntArray, IntArray]:
    """The rows that share a bucket, and for each the kept row that stands for it.

    Only the texts of rows that share a bucket with another are read again.
    """
    from aidp.near_kernel import resolve

    count = keys.shape[1]
    shares = scratch.full(count, False, np.bool_)
    found = _buckets(keys, shares, scratch)
    rows = np.flatnonzero(shares)
    if len(rows) == 0:
        return rows, rows
    places = scratch.empty(count, np.int32)
    np.cumsum(shares, dtype=np.int32, out=places)
    buckets = scratch.full((len(rows), len(keys)), -1, np.int32)
    for band, members, numbers in found:
        buckets[places[members] - 1, band] = numbers
    texts = scratch.texts(chunks(), rows)
    heads = scratch.full(int(found[-1][2].max()) + 1, -1, np.int32)
    before = scratch.full(buckets.shape, -1, np.int32)
    near = scratch.empty(len(rows), np.int64)
    resolve(
        texts.data, texts.offsets, words, search.n, buckets, heads, before, search.threshold, near
    )
    return rows, rows[near]


def _buckets(
    keys: npt.NDArray[np.uint32], shares: BoolArray, scratch: Scratch
) -> list[tuple[int, IntArray, npt.NDArray[np.int32]]]:
    """For each band, and part of its keys, the rows that share one and the number of theirs.

    The numbers go on from band to band. Rows that share any key are marked in `shares`.
    """
    found = []
    count, parts = 0, scratch.parts(keys.shape[1])
    for band, own in enumerate(keys):
        for part in range(parts):
            if parts == 1:
                rows, numbers = _shared_buckets(own)
            else:
                here = rows_in_part(own, part, parts)
                rows, numbers = _shared_buckets(own[here])
                rows = here[rows]
            if len(rows):
                shares[rows] = True
                numbers = (numbers + count).astype(np.int32)
                count = int(numbers[-1]) + 1
                found.append((band, scratch.kept(rows), scratch.kept(numbers)))
    return found


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
