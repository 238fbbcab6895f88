"""GTA answers: whether an answer agrees with the reference of its sample.

References are of three kinds: names that must (and must not) occur, sentences that the answer
should resemble, and none, where the outcome is an image.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any

__all__ = ["Similarity", "answer_score", "mpnet_similarity", "names_agree", "trigram_similarity"]

Similarity = Callable[[str, str], float]
"""Two texts to a number in [0, 1]."""

_DIMENSIONS = 256
_MAX_CHARS = 100_000


@cache
def _trigrams(text: str) -> tuple[tuple[int, int], ...]:
    counts: dict[int, int] = {}
    padded = f" {text} "
    for at in range(len(padded) - 2):
        piece = padded[at : at + 3].encode("utf-8", "replace")
        place = zlib.crc32(piece) % _DIMENSIONS
        counts[place] = counts.get(place, 0) + 1
    return tuple(counts.items())


def trigram_similarity(first: str, second: str) -> float:
    """Cosine of the counts of character trigrams hashed to 256 places, at least 0.

    The stand-in for the embedding model: it needs no weights and is the same everywhere.
    """
    one = dict(_trigrams.__wrapped__(first[:_MAX_CHARS]))
    two = dict(_trigrams(second[:_MAX_CHARS]))
    dot = sum(count * two.get(place, 0) for place, count in one.items())
    norms = math.sqrt(sum(c * c for c in one.values())) * math.sqrt(
        sum(c * c for c in two.values())
    )
    return dot / norms if norms else 0.0


def mpnet_similarity() -> Similarity:
    """The similarity that upstream uses: cosine of all-mpnet-base-v2 embeddings, at least 0.

    Needs the package sentence-transformers and the model's weights.
    """
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer("all-mpnet-base-v2")

    def similarity(first: str, second: str) -> float:
        one, two = model.encode([first, second], normalize_embeddings=True)
        return max(float(one @ two), 0.0)

    return similarity


@lru_cache(maxsize=2048)
def _pattern(aliases: tuple[str, ...]) -> re.Pattern[str]:
    names = "|".join(re.escape(alias) for alias in aliases)
    return re.compile(rf"\b(?:{names})\b", re.IGNORECASE)


def names_agree(reference: Mapping[str, Any], text: str) -> bool:
    """Whether each group of the whitelist has an alias in `text` as whole words, and no black one.

    Aliases that begin or end in a character outside words ("-2", "50%") need a word character
    beside them, as upstream's expression does.
    """
    for group in reference["whitelist"]:
        if _pattern(tuple(group)).search(text) is None:
            return False
    blacklist = reference.get("blacklist")
    if not blacklist:
        return True
    return _pattern(tuple(alias for group in blacklist for alias in group)).search(text) is None


def answer_score(reference: Any, text: str, similarity: Similarity) -> float:
    """1 or 0 for names, the best similarity for sentences, 0 where there is no reference."""
    if isinstance(reference, dict):
        return float(names_agree(reference, text))
    if reference:
        return max(similarity(text, sentence) for sentence in reference)
    return 0.0
