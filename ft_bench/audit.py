"""Audit: what can be checked about a dataset, by code and without an opinion."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from ft_bench.record import Overlap

__all__ = ["Reference", "normalised", "overlap"]

_WORDS = re.compile(r"\w+")
_NGRAM = 13


def normalised(text: str) -> str:
    """Lower case, words only, one blank between: what an exact overlap compares.

    A text of one word is a code, such as a SMILES, in which case and signs matter: it stays.
    """
    stripped = text.strip()
    if stripped and not any(sign.isspace() for sign in stripped):
        return stripped
    return " ".join(_WORDS.findall(text.lower()))


def _ngrams(text: str) -> Iterable[int]:
    words = text.split(" ")
    for start in range(len(words) - _NGRAM + 1):
        yield hash(tuple(words[start : start + _NGRAM]))


class Reference:
    """An evaluation split, indexed once for overlap queries.

    `exact` compares normalised texts; `ngram13` counts rows that share any run of 13 words
    (Brown et al. 2020, appendix C), which is strict: a shared boilerplate sentence counts too.
    """

    def __init__(self, split: Literal["validation", "test"], prompts: Sequence[str]) -> None:
        self.split = split
        texts = [normalised(prompt) for prompt in prompts]
        shared = _boilerplate(texts)
        self._exact = set(texts)
        self._grams = {gram for text in texts for gram in _ngrams(text)} - shared

    def overlap(self, prompts: Iterable[str]) -> Overlap:
        """How many of `prompts` also stand in the split."""
        exact = grams = rows = 0
        for prompt in prompts:
            rows += 1
            text = normalised(prompt)
            exact += text in self._exact
            grams += any(gram in self._grams for gram in _ngrams(text))
        return Overlap(split=self.split, exact=exact, ngram13=grams, rows=rows)


def _boilerplate(texts: Sequence[str]) -> set[int]:
    """Runs of words in over half of the split: the instruction, not the item."""
    counts: dict[int, int] = {}
    for text in texts:
        for gram in set(_ngrams(text)):
            counts[gram] = counts.get(gram, 0) + 1
    return {gram for gram, count in counts.items() if count > len(texts) / 2}


def overlap(
    split: Literal["validation", "test"], reference: Sequence[str], prompts: Iterable[str]
) -> Overlap:
    """Overlap of a dataset's prompts with a split's, counts only."""
    return Reference(split, reference).overlap(prompts)
