"""Leak: how many texts say what an evaluation set says, for whoever only needs the count."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["count_near"]


def count_near(texts: Sequence[str], evaluation: Sequence[str]) -> int:
    """How many of `texts` overlap with a text of `evaluation`, as `decontaminate` finds it.

    Shares of grams are computed, not estimated from MinHash signatures, and grams that many
    evaluation texts share do not count: two prompts of one template are not near for that.
    """
    from datasets import Dataset

    from aidp.overlap import decontaminate

    if not len(texts) or not len(evaluation):
        return 0
    rows = Dataset.from_dict({"text": list(texts)})
    kept = decontaminate(rows, against=Dataset.from_dict({"text": list(evaluation)}))
    return len(rows) - len(kept)
