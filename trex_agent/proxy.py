"""Proxy: what a source of rows is worth, seen in a second by a model that costs nothing.

A ridge regression from hashed character n-grams to the items of the answer is fitted on the pool
with and without a source, and judged on validation. It is far too weak to do the task, and strong
enough to notice that a source's labels disagree with validation's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["worth_of_sources"]

_FEATURES = 1024
_MOST_ROWS = 6_000
_MOST_ITEMS = 64
_RIDGE = 1.0
Floats = NDArray[np.float64]


def worth_of_sources(
    prompts: Sequence[str],
    answers: Sequence[Sequence[str]],
    sources: Sequence[str],
    validation: tuple[Sequence[str], Sequence[Sequence[str]]],
    seed: int,
) -> dict[str, float]:
    """How much explained variance on validation falls when a source is left out.

    Args:
        prompts: of the training rows.
        answers: of the training rows, as items.
        sources: of the training rows.
        validation: prompts and answers, as items, of validation.
        seed: chooses the rows where there are more than a few thousand.

    Returns:
        Worth by source, in explained variance (at most 1); negative where the source does harm.
        Empty where answers are not built from a few items.
    """
    items = sorted({item for answer in validation[1] for item in answer})
    if not 1 < len(items) <= _MOST_ITEMS or len(set(sources)) < 2:
        return {}
    picked = np.random.default_rng(seed).permutation(len(prompts))[:_MOST_ROWS]
    x = _vectors([prompts[i] for i in picked])
    y = _targets([answers[i] for i in picked], items)
    origin = np.array([sources[i] for i in picked])
    asked, wanted = _vectors(validation[0]), _targets(validation[1], items)
    whole = _explained(x, y, asked, wanted)
    return {
        name: whole - _explained(x[origin != name], y[origin != name], asked, wanted)
        for name in sorted(set(sources))
        if int((origin != name).sum()) > 0
    }


def _vectors(texts: Sequence[str]) -> Floats:
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing: Any = HashingVectorizer(
        analyzer="char",
        ngram_range=(1, 3),
        n_features=_FEATURES,
        alternate_sign=False,
        lowercase=False,
        norm=None,
    )
    counts: Floats = np.log1p(hashing.transform(texts).toarray())
    return np.hstack([counts, np.ones((len(texts), 1))])


def _targets(answers: Sequence[Sequence[str]], items: Sequence[str]) -> Floats:
    place = {item: number for number, item in enumerate(items)}
    targets = np.zeros((len(answers), len(items)))
    for row, answer in enumerate(answers):
        for item in answer:
            if item in place:
                targets[row, place[item]] = 1.0
    return targets


def _explained(x: Floats, y: Floats, asked: Floats, wanted: Floats) -> float:
    """Explained variance on validation of the ridge fitted on (x, y)."""
    gram = x.T @ x + _RIDGE * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, x.T @ y)
    left = float(((wanted - asked @ weights) ** 2).sum())
    total = float(((wanted - wanted.mean(axis=0)) ** 2).sum())
    return 1.0 - left / total if total > 0 else 0.0
