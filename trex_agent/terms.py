"""Terms: the words or characters that tell one group of texts from the rest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import log, sqrt

__all__ = ["characteristic", "grams"]

_WORD = re.compile(r"[^\W\d_]{2,}")
_SPACED = 0.08
_SIZES = (3, 4)
_CHINESE = (2, 3)
_MOST_GRAMS = 400
_CLEAR = 1.96
"""z of a term that is told from chance at 95 %."""


def _spaced(texts: Sequence[str]) -> bool:
    """Whether blanks part words here, which they do not in Chinese or in a molecule."""
    sample = "".join(texts[:200])
    return sample.count(" ") >= _SPACED * max(1, len(sample))


def grams(text: str, spaced: bool) -> set[str]:
    """The distinct words and pairs of words of a text, or its runs of characters."""
    if spaced:
        words = _WORD.findall(text.lower())[:_MOST_GRAMS]
        return {*words, *(f"{a} {b}" for a, b in pairwise(words))}
    text = "".join(text.split())[:_MOST_GRAMS]
    sizes = _CHINESE if any(ord(mark) > 0x2E80 for mark in text) else _SIZES
    return {text[i : i + n] for n in sizes for i in range(len(text) - n + 1)}


def characteristic(inside: Sequence[str], outside: Sequence[str], most: int = 4) -> list[str]:
    """Terms that more texts of `inside` hold than of `outside`, the clearest first.

    The log-odds of holding a term with an informative Dirichlet prior, as a z-score (Monroe,
    Colaresi and Quinn 2008, equations 15 to 22), over texts instead of tokens. A term that is part
    of one chosen already is left out.
    """
    if not inside:
        return []
    spaced = _spaced([*inside, *outside])
    here, there = _counts(inside, spaced), _counts(outside, spaced)
    scored = [
        (_z(many, len(inside), there[term], len(outside)), term)
        for term, many in here.items()
        if many >= max(2, len(inside) // 20)
    ]
    chosen: list[str] = []
    for z, term in sorted(scored, key=lambda pair: (-pair[0], -len(pair[1]), pair[1])):
        if z < _CLEAR or len(chosen) == most:
            break
        if not any(term in other or other in term for other in chosen):
            chosen.append(term)
    return chosen


def _counts(texts: Iterable[str], spaced: bool) -> Counter[str]:
    found: Counter[str] = Counter()
    for text in texts:
        found.update(grams(text, spaced))
    return found


def _z(here: int, n_here: int, there: int, n_there: int) -> float:
    prior = (here + there + 0.5) / (n_here + n_there + 1) * 10.0
    a, b = here + prior, there + prior
    left, right = n_here - here + 10.0 - prior, n_there - there + 10.0 - prior
    odds = log(a / max(left, 0.5)) - log(b / max(right, 0.5))
    return odds / sqrt(1 / a + 1 / b)
