"""Leak: how many texts say what an evaluation set says, for whoever only needs the count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

__all__ = ["count_near"]

_CHARS = 8
_LEAST_FREQUENT = 4
_FREQUENCY = 0.01


def count_near(texts: Sequence[str], evaluation: Sequence[str], threshold: float = 0.8) -> int:
    """How many of `texts` are near duplicates of a text of `evaluation`.

    `decontaminate` proposes; a proposal counts where the Jaccard index of the two sets of 8-grams
    of characters is at least `threshold`. The index is computed, not estimated from MinHash
    signatures, because grams that many evaluation texts share must be left out: two prompts of
    one template are not near for that, and a short text inside a long one is no duplicate of it.
    """
    from datasets import Dataset

    from aidp.overlap import decontaminate

    if not len(texts) or not len(evaluation):
        return 0
    rows = Dataset.from_dict({"text": list(texts), "row": list(range(len(texts)))})
    kept = decontaminate(
        rows, against=Dataset.from_dict({"text": list(evaluation)}), overlap=0.8, short_overlap=0.8
    )
    proposed = set(range(len(texts))) - set(kept["row"][:])
    index = _Index(evaluation)
    return sum(index.nearest(texts[row]) >= threshold for row in sorted(proposed))


class _Index:
    """The telling grams of each evaluation text, and which texts have a gram."""

    def __init__(self, evaluation: Sequence[str]) -> None:
        self._whole = {_squeezed(text) for text in evaluation}
        grams = [_grams(text) for text in self._whole]
        counts = Counter(gram for found in grams for gram in found)
        most = max(_LEAST_FREQUENT, _FREQUENCY * len(grams))
        self._common = {gram for gram, count in counts.items() if count > most}
        self._sizes = [len(found - self._common) for found in grams]
        self._texts: dict[str, list[int]] = {}
        for number, found in enumerate(grams):
            for gram in found - self._common:
                self._texts.setdefault(gram, []).append(number)

    def nearest(self, text: str) -> float:
        """The highest Jaccard index of `text` with an evaluation text, 1 where they are equal."""
        squeezed = _squeezed(text)
        if squeezed in self._whole:
            return 1.0
        telling = _grams(squeezed) - self._common
        shared = Counter(n for gram in telling for n in self._texts.get(gram, ()))
        return max(
            (both / (len(telling) + self._sizes[n] - both) for n, both in shared.items()),
            default=0.0,
        )


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _grams(text: str) -> set[str]:
    """Runs of 8 characters of squeezed text; case stays, as in a SMILES it means something."""
    return {text[start : start + _CHARS] for start in range(len(text) - _CHARS + 1)}
