"""Kernels: compiled loops over the bytes of texts; import this inside functions only.

A text is read as units, words or characters, and n consecutive units make a gram. All
hashes are 64-bit and fixed, so that outputs are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from numba.core.caching import FunctionCache

Function = TypeVar("Function", bound=Callable[..., Any])
Bytes = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

OFFSET = np.uint64(0xCBF29CE484222325)
PRIME = np.uint64(0x100000001B3)
BASE = np.uint64(0x9E3779B97F4A7C15)
ZERO = np.uint64(0)


def _sources() -> str:
    """A digest of the sources of all kernels: numba's own cache misses changes in callees."""
    sources = sorted(Path(__file__).parent.glob("*kernel*.py"))
    return blake2b(b"".join(path.read_bytes() for path in sources)).hexdigest()


SOURCES = _sources()


class KernelCache(FunctionCache):  # type: ignore[misc]
    """Machine code on disk that is used only while no kernel's source has changed."""

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(sig, codegen), SOURCES)


def compiled(function: Function) -> Function:
    """`function` compiled by numba on first use, kept on disk, free of the interpreter lock."""
    made = numba.njit(nogil=True)(function)
    made._cache = KernelCache(function)
    return cast(Function, made)


@compiled
def mixed(h: Any) -> Any:
    """SplitMix64's finaliser: every input bit moves every output bit."""
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


def _word_bytes() -> Bytes:
    """For each byte what stands for it in a word: ASCII letters lower, 0 for what parts words."""
    ascii_bytes = [ord(chr(b).lower()) if chr(b).isalnum() else 0 for b in range(128)]
    return np.array([*ascii_bytes, *range(128, 256)], np.uint8)


WORD_BYTES = _word_bytes()


@compiled
def word_units(data: Bytes, start: int, stop: int, out: Hashes) -> int:
    """Hash each run of letters, digits and non-ASCII bytes, case-blind in ASCII, into `out`.

    Without a branch on the bytes: where words end cannot be predicted, and a wrong guess
    costs more than the hash. `out` needs room for one unit more than there can be.
    """
    count = 0
    h = OFFSET
    inside = 0
    for i in range(start, stop):
        c = WORD_BYTES[data[i]]
        out[count] = h
        count += inside if c == 0 else 0
        inside = 0 if c == 0 else 1
        h = OFFSET if c == 0 else (h ^ np.uint64(c)) * PRIME
    if inside:
        out[count] = h
        count += 1
    for i in range(count):
        out[i] = mixed(out[i])
    return count


@compiled
def char_units(data: Bytes, start: int, stop: int, out: Hashes) -> int:
    """Hash each code point, case-blind in ASCII, white space as one blank, into `out`."""
    count = 0
    i = start
    blank = True
    while i < stop:
        b = data[i]
        width = 1 if b < 192 else (2 if b < 224 else (3 if b < 240 else 4))
        if b == 32 or 9 <= b <= 13:
            if not blank:
                out[count] = mixed(np.uint64(32))
                count += 1
            blank = True
        else:
            if 65 <= b <= 90:
                b += np.uint8(32)
            h = np.uint64(b)
            for k in range(i + 1, min(i + width, stop)):
                h = (h << np.uint64(8)) | np.uint64(data[k])
            out[count] = mixed(h)
            count += 1
            blank = False
        i += width
    if blank and count:
        count -= 1
    return count


@compiled
def text_units(data: Bytes, start: int, stop: int, words: bool, out: Hashes) -> int:
    """The hashes of the words, or of the characters, of one text into `out`; how many."""
    if words:
        return word_units(data, start, stop, out)
    return char_units(data, start, stop, out)


@compiled
def text_grams(
    data: Bytes, start: int, stop: int, words: bool, n: int, units: Hashes, out: Hashes
) -> int:
    """The hashes of all grams of one text into `out`; a text of fewer units is one gram."""
    return unit_grams(units, text_units(data, start, stop, words, units), n, out)


@compiled
def unit_grams(units: Hashes, m: int, n: int, out: Hashes) -> int:
    """The hashes of all grams of the first `m` units into `out`; fewer than `n` are one gram."""
    if m == 0:
        return 0
    span = min(m, n)
    power = np.uint64(1)
    h = ZERO
    for i in range(span):
        h = h * BASE + units[i]
        if i:
            power = power * BASE
    out[0] = mixed(h ^ np.uint64(span))
    for i in range(span, m):
        h = (h - units[i - span] * power) * BASE + units[i]
        out[i - span + 1] = mixed(h ^ np.uint64(span))
    return m - span + 1


@compiled
def sequence_hash(units: Hashes, m: int) -> Any:
    """One hash of the first `m` units in their order."""
    h = OFFSET
    for i in range(m):
        h = h * BASE + units[i]
    return mixed(h)


@compiled
def longest(offsets: Ints) -> int:
    """The most bytes that any text has, and one more."""
    most = 0
    for i in range(len(offsets) - 1):
        most = max(most, offsets[i + 1] - offsets[i])
    return most + 1


@compiled
def word_counts(data: Bytes, offsets: Ints, out: Ints) -> None:
    """How many words each text has, into `out`."""
    units = np.empty(longest(offsets), np.uint64)
    for row in range(len(offsets) - 1):
        out[row] = word_units(data, offsets[row], offsets[row + 1], units)


@compiled
def word_hashes(data: Bytes, offsets: Ints, out: Hashes) -> None:
    """One hash of the words of each text, in their order, into `out`."""
    units = np.empty(longest(offsets), np.uint64)
    for row in range(len(offsets) - 1):
        out[row] = sequence_hash(units, word_units(data, offsets[row], offsets[row + 1], units))


@compiled
def all_grams(data: Bytes, offsets: Ints, words: bool, n: int, out: Hashes, rows: Ints) -> int:
    """All grams of all texts with their rows, into arrays as long as the bytes; how many."""
    units = np.empty(longest(offsets), np.uint64)
    grams = np.empty(longest(offsets), np.uint64)
    count = 0
    for row in range(len(offsets) - 1):
        m = text_grams(data, offsets[row], offsets[row + 1], words, n, units, grams)
        for i in range(m):
            out[count] = grams[i]
            rows[count] = row
            count += 1
    return count


@compiled
def fill_table(keys: Hashes, slots: Ints, bits: Hashes) -> None:
    """Put the positions of distinct `keys` into open addressing `slots`, and mark them in `bits`.

    Both are a power of two long; `bits` answers most look-ups without touching `slots`.
    """
    last = np.uint64(len(slots) - 1)
    edge = np.uint64(64 * len(bits) - 1)
    for i in range(len(keys)):
        at = keys[i] & last
        while slots[at] >= 0:
            at = (at + np.uint64(1)) & last
        slots[at] = i
        bit = (keys[i] >> np.uint64(20)) & edge
        bits[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))


@compiled
def likely_keys(bits: Hashes, grams: Hashes, m: int) -> int:
    """Move those of the first `m` grams that `bits` knows to the front; how many.

    Without a branch, so that the look-ups overlap instead of waiting for one another.
    """
    edge = np.uint64(64 * len(bits) - 1)
    count = 0
    for i in range(m):
        gram = grams[i]
        bit = (gram >> np.uint64(20)) & edge
        grams[count] = gram
        count += int((bits[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1))
    return count


@compiled
def find_key(keys: Hashes, slots: Ints, key: Any) -> int:
    """The position of `key` in `keys`, or -1."""
    last = np.uint64(len(slots) - 1)
    at = key & last
    while slots[at] >= 0:
        if keys[slots[at]] == key:
            return int(slots[at])
        at = (at + np.uint64(1)) & last
    return -1
