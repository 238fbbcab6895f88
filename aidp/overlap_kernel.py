"""Overlap kernel: which texts share how much with which evaluation text; import in functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from aidp.kernels import (
    Bytes,
    Floats,
    Hashes,
    Ints,
    compiled,
    find_key,
    likely_keys,
    longest,
    sequence_hash,
    text_units,
    unit_grams,
)


@compiled
def find_overlaps(
    data: Bytes,
    offsets: Ints,
    words: bool,
    n: int,
    keys: Hashes,
    slots: Ints,
    bits: Hashes,
    starts: Ints,
    postings: Ints,
    sizes: Ints,
    both_ways: bool,
    best: Ints,
    share: Floats,
    hashes: Hashes,
) -> None:
    """For each text the evaluation text it shares most with, into `best` and `share`.

    Args:
        data: UTF-8 bytes of all texts.
        offsets: Where each text starts, and the end of the last, shape (texts + 1,).
        words: Whether units are words.
        n: Units in a gram.
        keys: Distinct grams of the evaluation texts, shape (g,).
        slots: `keys` by open addressing.
        bits: A filter in front of `slots`; see `kernels.fill_table`.
        starts: Where the postings of each key start, shape (g + 1,); none: boilerplate.
        postings: Evaluation texts that have the key.
        sizes: Distinct grams of each evaluation text that are no boilerplate.
        both_ways: Whether a text that lies within an evaluation text counts as well.
        best: Out: the evaluation text, -1 for none, shape (texts,).
        share: Out: the larger share, 0 to 1, shape (texts,).
        hashes: Out, where units are words: one hash of all words of each text, shape (texts,).
    """
    units = np.empty(longest(offsets), np.uint64)
    grams = np.empty(longest(offsets), np.uint64)
    seen = np.full(len(keys), -1, np.int64)
    distinct = np.zeros(len(sizes), np.int64)
    places = np.zeros(len(sizes), np.int64)
    touched = np.empty(len(sizes), np.int64)
    for row in range(len(offsets) - 1):
        m = text_units(data, offsets[row], offsets[row + 1], words, units)
        if words:
            hashes[row] = sequence_hash(units, m)
        m = unit_grams(units, m, n, grams)
        own = m
        hit = 0
        for i in range(likely_keys(bits, grams, m)):
            key = find_key(keys, slots, grams[i])
            if key < 0:
                continue
            if starts[key] == starts[key + 1]:
                own -= 1
            new = seen[key] != row
            seen[key] = row
            hit = count_hits(key, new, starts, postings, distinct, places, touched, hit)
        best[row], share[row] = best_of(
            touched[:hit], distinct, places, sizes, own if both_ways else 0
        )


@compiled
def count_hits(
    key: int,
    new: bool,
    starts: Ints,
    postings: Ints,
    distinct: Ints,
    places: Ints,
    touched: Ints,
    hit: int,
) -> int:
    """Count one gram for every evaluation text that has it; how many texts are touched."""
    for p in range(starts[key], starts[key + 1]):
        text = postings[p]
        if places[text] == 0:
            touched[hit] = text
            hit += 1
        places[text] += 1
        if new:
            distinct[text] += 1
    return hit


@compiled
def best_of(touched: Ints, distinct: Ints, places: Ints, sizes: Ints, own: int) -> Any:
    """The touched text with the largest share and that share; clears the counters."""
    best = -1
    share = 0.0
    for i in range(len(touched)):
        text = touched[i]
        covered = distinct[text] / sizes[text]
        if own > 0:
            covered = max(covered, places[text] / own)
        if covered > share or (covered == share and text < best):
            best = text
            share = covered
        distinct[text] = 0
        places[text] = 0
    return best, share
