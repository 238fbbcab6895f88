"""Near-duplicate kernels: MinHash signatures, and rows resolved by exact Jaccard; import late."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aidp.kernels import BASE, ZERO, Bytes, Hashes, Ints, compiled, longest, mixed, text_grams

Words32 = npt.NDArray[np.uint32]
Ints32 = npt.NDArray[np.int32]
AT_ONCE = 4


@compiled
def band_keys(
    data: Bytes,
    offsets: Ints,
    words: bool,
    n: int,
    factors: Words32,
    terms: Words32,
    bands: int,
    keys: Words32,
) -> None:
    """MinHash each text and hash each band of its signature into `keys`, shape (bands, texts).

    The permutations are h -> factor * h + term modulo 2^32 with odd factors; texts without
    any gram get keys of their own. The exact check that follows makes up for the weakness
    of this family.
    """
    units = np.empty(longest(offsets), np.uint64)
    grams = np.empty(longest(offsets) + AT_ONCE, np.uint64)
    signature = np.empty(len(factors), np.uint32)
    rows_in_band = len(factors) // bands
    for row in range(len(offsets) - 1):
        m = text_grams(data, offsets[row], offsets[row + 1], words, n, units, grams)
        signature[:] = np.uint32(0xFFFFFFFF)
        for i in range(m, m + AT_ONCE - 1):
            grams[i] = grams[m - 1] if m else ZERO
        for i in range(0, m, AT_ONCE):
            lower_signature(grams, i, factors, terms, signature)
        for band in range(bands):
            h = np.uint64(band + 1)
            for k in range(band * rows_in_band, (band + 1) * rows_in_band):
                h = h * BASE + np.uint64(signature[k])
            keys[band, row] = np.uint32(mixed(h) >> np.uint64(32))


@compiled
def lower_signature(
    grams: Hashes, first: int, factors: Words32, terms: Words32, signature: Words32
) -> None:
    """Lower `signature` by the permutations of four hashes; a loop that vectorises.

    Four at once, so that factors, terms and signature are read a quarter as often.
    """
    a = np.uint32(grams[first] >> np.uint64(32))
    b = np.uint32(grams[first + 1] >> np.uint64(32))
    c = np.uint32(grams[first + 2] >> np.uint64(32))
    d = np.uint32(grams[first + 3] >> np.uint64(32))
    for k in range(len(factors)):
        one = min(np.uint32(factors[k] * a + terms[k]), np.uint32(factors[k] * b + terms[k]))
        two = min(np.uint32(factors[k] * c + terms[k]), np.uint32(factors[k] * d + terms[k]))
        signature[k] = min(signature[k], min(one, two))


@compiled
def maybe_repeated(keys: Words32, once: Hashes, twice: Hashes, out: Ints) -> int:
    """The positions of keys that may occur twice into `out`, one longer than `keys`; how many.

    `once` and `twice` are bitmaps of zeros, a power of two long; a key that occurs twice is
    always among them, one that occurs once rarely.
    """
    edge = np.uint64(64 * len(once) - 1)
    for i in range(len(keys)):
        bit = np.uint64(keys[i]) & edge
        one = np.uint64(1) << (bit & np.uint64(63))
        twice[bit >> np.uint64(6)] |= once[bit >> np.uint64(6)] & one
        once[bit >> np.uint64(6)] |= one
    count = 0
    for i in range(len(keys)):
        bit = np.uint64(keys[i]) & edge
        out[count] = i
        count += int((twice[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1))
    return count


@compiled
def grams_of(
    data: Bytes, offsets: Ints, row: int, words: bool, n: int, units: Hashes, out: Hashes
) -> int:
    """The distinct grams of one text, ascending, into `out`; how many."""
    m = text_grams(data, offsets[row], offsets[row + 1], words, n, units, out)
    out[:m].sort()
    count = 0
    for i in range(m):
        if i == 0 or out[i] != out[count - 1]:
            out[count] = out[i]
            count += 1
    return count


@compiled
def jaccard(a: Hashes, b: Hashes) -> float:
    """Jaccard index of two ascending arrays without repeats; 0 when both are empty."""
    i = 0
    j = 0
    both = 0
    while i < len(a) and j < len(b):
        if a[i] == b[j]:
            both += 1
            i += 1
            j += 1
        elif a[i] < b[j]:
            i += 1
        else:
            j += 1
    union = len(a) + len(b) - both
    return both / union if union else 0.0


@compiled
def equal_texts(data: Bytes, offsets: Ints, one: int, other: int) -> bool:
    """Whether two texts have the same bytes."""
    a, b = offsets[one], offsets[other]
    size = offsets[one + 1] - a
    same = 0 if offsets[other + 1] - b == size else size + 1
    if same == 0:
        while same < size and data[a + same] == data[b + same]:
            same += 1
    return bool(same == size)


@compiled
def resolve(
    data: Bytes,
    offsets: Ints,
    words: bool,
    n: int,
    buckets: Ints32,
    heads: Ints32,
    before: Ints32,
    threshold: float,
    twins: Ints,
) -> None:
    """Walk the rows in order; a row near an earlier kept one is its twin, else it is kept.

    Args:
        data: UTF-8 bytes of all texts.
        offsets: Where each text starts, and the end of the last.
        words: Whether units are words.
        n: Units in a gram.
        buckets: Bucket of each row in each band, -1 where no other row is in it, (texts, bands).
        heads: One -1 per bucket; becomes the last kept row of each.
        before: As `buckets`, -1 everywhere; becomes the kept row before each in its bucket.
        threshold: The least Jaccard index of a duplicate.
        twins: Out: for each row the kept row that stands for it, itself where it is kept.
    """
    rows, bands = buckets.shape
    units = np.empty(longest(offsets), np.uint64)
    mine = np.empty(longest(offsets), np.uint64)
    theirs = np.empty(longest(offsets), np.uint64)
    asked = np.full(rows, -1, np.int32)
    for row in range(rows):
        size = -1
        twin = row
        for band in range(bands):
            other = heads[buckets[row, band]] if buckets[row, band] >= 0 else -1
            while other >= 0 and twin == row:
                if asked[other] != row:
                    asked[other] = row
                    if size < 0:
                        size = grams_of(data, offsets, row, words, n, units, mine)
                    if size > 0 and equal_texts(data, offsets, row, other):
                        twin = other
                        break
                    count = grams_of(data, offsets, other, words, n, units, theirs)
                    if jaccard(mine[:size], theirs[:count]) >= threshold:
                        twin = other
                other = before[other, band]
        twins[row] = twin
        if twin == row:
            enter(row, buckets, heads, before)


@compiled
def enter(row: int, buckets: Ints32, heads: Ints32, before: Ints32) -> None:
    """Put a kept row in front of the list of each of its buckets."""
    for band in range(buckets.shape[1]):
        bucket = buckets[row, band]
        if bucket >= 0:
            before[row, band] = heads[bucket]
            heads[bucket] = row
