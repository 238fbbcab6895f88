"""Audit: what can be checked about a dataset, by code and without an opinion."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from ft_bench.record import Overlap

__all__ = ["Near", "Reference", "normalised", "tolerated"]

Near = Callable[[Sequence[str], Sequence[str]], int]
"""How many of the first texts say what one of the second says; a back end's business."""

_WORDS = re.compile(r"\w+")
_NGRAM = 13
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
"""Characters of scripts without blanks: Thai, Lao, Burmese, Khmer, kana, Han."""

_CHARACTERS = 20
"""What 13 words come to in such a script, where a word has about one and a half characters."""


def normalised(text: str) -> str:
    """Lower case, words only, one blank between: what an exact overlap compares.

    A text of one word is a code, such as a SMILES, in which case and signs matter: it stays.
    """
    stripped = text.strip()
    if stripped and not any(sign.isspace() for sign in stripped):
        return stripped
    return " ".join(_WORDS.findall(text.lower()))


def _ngrams(text: str) -> Iterable[int]:
    """The runs of words, or of characters where most of the text is of a script without blanks."""
    if len(_UNSPACED.findall(text)) > len(text) / 2:
        signs = "".join(_WORDS.findall(text))
        for start in range(len(signs) - _CHARACTERS + 1):
            yield hash(signs[start : start + _CHARACTERS])
        return
    words = text.split(" ")
    for start in range(len(words) - _NGRAM + 1):
        yield hash(tuple(words[start : start + _NGRAM]))


class Reference:
    """An evaluation split, indexed once for overlap queries.

    `exact` compares normalised texts; `ngram13` counts rows that share any run of 13 words
    (Brown et al. 2020, appendix C), or of 20 characters in a script without blanks. That is strict:
    a shared boilerplate sentence counts too.

    Args:
        split: its name.
        prompts: its prompts.
        pool: prompts of the task's own training pool; what stands there is nobody's leak. Without
            it leaks are not counted.
        near: counts near duplicates.
    """

    def __init__(
        self,
        split: Literal["validation", "test"],
        prompts: Sequence[str],
        pool: Iterable[str] | None = None,
        near: Near = lambda texts, reference: 0,
    ) -> None:
        self.split, self._prompts, self._near = split, list(prompts), near
        texts = [normalised(prompt) for prompt in prompts]
        shared = _boilerplate(texts)
        self._exact = set(texts)
        known = self._exact if pool is None else {normalised(prompt) for prompt in pool}
        self._foreign = self._exact - known
        self._grams = {gram for text in texts for gram in _ngrams(text)} - shared

    def overlap(self, prompts: Sequence[str]) -> Overlap:
        """How many of `prompts` also stand in the split."""
        exact = grams = 0
        leaked: set[str] = set()
        for prompt in prompts:
            text = normalised(prompt)
            exact += text in self._exact
            grams += any(gram in self._grams for gram in _ngrams(text))
            if text in self._foreign:
                leaked.add(text)
        return Overlap(
            split=self.split,
            exact=exact,
            ngram13=grams,
            near=self._near(prompts, self._prompts),
            rows=len(prompts),
            leaked=len(leaked),
        )


def _boilerplate(texts: Sequence[str]) -> set[int]:
    """Runs of words in over half of the split: the instruction, not the item."""
    counts: dict[int, int] = {}
    for text in texts:
        for gram in set(_ngrams(text)):
            counts[gram] = counts.get(gram, 0) + 1
    return {gram for gram, count in counts.items() if count > len(texts) / 2}


def tolerated(rows: int) -> int:
    """How many leaked rows of a split of `rows` are chance: one in two hundred, at least five."""
    return max(5, rows // 200)
