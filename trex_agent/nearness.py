"""Nearness: the training row that is most like a prompt, by hashed n-grams."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from trex_agent.cases import Question, questions

if TYPE_CHECKING:
    from aidp.encode import Vectors

__all__ = ["Neighbour", "nearest", "provenance", "vectors_of"]

_MOST_ROWS = 5_000
_LOOKED_AT = 2_000
_FEW = 12
_BLOCK = 1_000
_PLAIN = frozenset({"id", "prompt", "answer"})


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The nearest row of the pool; `likeness` is a cosine, 1 for the same wording."""

    likeness: float
    answer: str
    source: str


def vectors_of(texts: Sequence[str]) -> Vectors:
    """Unit vectors of hashed n-grams, shape (texts, 512); no model, the same everywhere."""
    import polars as pl

    from aidp.buffers import series_buffer
    from aidp.encode import hash_vectors

    return hash_vectors(series_buffer(pl.Series(list(texts), dtype=pl.String)))


def provenance(train: Path) -> str:
    """The column that says where a row came from, "" where none has a few distinct texts."""
    values: defaultdict[str, set[str]] = defaultdict(set)
    with train.open(encoding="utf-8") as stream:
        for _, line in zip(range(_LOOKED_AT), stream, strict=False):
            for name, value in json.loads(line).items():
                if name not in _PLAIN and isinstance(value, str) and len(values[name]) <= _FEW:
                    values[name].add(value)
    fitting = [name for name, found in values.items() if 2 <= len(found) <= _FEW]
    return min(fitting, default="")


def nearest(train: Path, prompts: Sequence[str]) -> list[Neighbour]:
    """For each prompt the most like of at most 5,000 rows spread evenly over the pool."""
    rows, known = _pool(train)
    if not rows or not prompts:
        return [Neighbour(0.0, "", "") for _ in prompts]
    asked = vectors_of(prompts)
    found = []
    for start in range(0, len(prompts), _BLOCK):
        cosines = asked[start : start + _BLOCK] @ known.T
        places = cosines.argmax(axis=1)
        found += [
            Neighbour(round(float(cosines[at, place]), 6), rows[place].answer, rows[place].source)
            for at, place in enumerate(places)
        ]
    return found


@lru_cache(maxsize=1)
def _pool(train: Path) -> tuple[list[Question], Vectors]:
    rows = questions(train, provenance(train))
    step = -(-len(rows) // _MOST_ROWS) or 1
    kept = list(rows[::step])
    return kept, vectors_of([row.prompt for row in kept])
