"""ROUGE: unigram overlap and longest common subsequence, as `rouge_score` 0.1.2 defines them.

Tokens are the maximal runs of [a-z0-9] in the lower-cased text; no stemmer. Precision is the match
over the prediction's tokens, recall over the reference's, F their harmonic mean, 0 where both are
0. Both are made for speed: tokens by one byte table, and the subsequence by bit-parallel rows
(Hyyrö 2004: one big-integer addition per token of the longer text).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

__all__ = ["Rouge", "lcs_length", "rouge1", "rouge2", "rouge_l", "tokens"]

_KEPT = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789")
_TABLE = bytes(byte if byte in _KEPT else 32 for byte in range(256))


class Rouge(NamedTuple):
    """Precision, recall and F-measure, each in [0, 1]."""

    precision: float
    recall: float
    f: float


def tokens(text: str) -> list[bytes]:
    """The tokens of `text` as ASCII bytes; characters outside [a-z0-9] part words."""
    return text.lower().encode("ascii", "replace").translate(_TABLE).split()


def _rouge(match: int, predicted: int, expected: int) -> Rouge:
    precision = match / max(1, predicted)
    recall = match / max(1, expected)
    total = precision + recall
    return Rouge(precision, recall, 2 * precision * recall / total if total > 0 else 0.0)


def _shared(first: Counter[Any], second: Counter[Any]) -> int:
    return sum(min(count, first[token]) for token, count in second.items() if token in first)


def rouge1(prediction: Sequence[bytes], reference: Sequence[bytes]) -> Rouge:
    """Clipped unigram overlap of two token lists."""
    match = _shared(Counter(prediction), Counter(reference))
    return _rouge(match, len(prediction), len(reference))


def rouge2(prediction: Sequence[bytes], reference: Sequence[bytes]) -> Rouge:
    """Clipped bigram overlap of two token lists."""
    first = Counter(pairwise(prediction))
    second = Counter(pairwise(reference))
    return _rouge(_shared(first, second), len(prediction) - 1, len(reference) - 1)


def lcs_length(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """Length of the longest common subsequence.

    Time is |longer| additions of |shorter|-bit integers, memory |shorter| bits per distinct token.
    """
    if len(first) > len(second):
        first, second = second, first
    places: dict[Hashable, int] = {}
    bit = 1
    for token in first:
        places[token] = places.get(token, 0) | bit
        bit <<= 1
    full = bit - 1
    row = full
    for token in second:
        hit = places.get(token)
        if hit is not None:
            common = row & hit
            row = ((row + common) | (row - common)) & full
    return len(first) - row.bit_count()


def rouge_l(prediction: Sequence[bytes], reference: Sequence[bytes]) -> Rouge:
    """Longest common subsequence of two token lists."""
    return _rouge(lcs_length(prediction, reference), len(prediction), len(reference))
