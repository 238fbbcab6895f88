"""Outcome: what one LawBench answer earned, and the overlap measures that several sub-tasks use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

__all__ = ["Outcome", "char_f1", "f_measure", "set_f1"]


Outcome = tuple[float | None, bool, Any]
"""The score, None where upstream leaves the gold answer out of the mean; whether upstream counts
the answer as an abstention; what was read in it, as JSON data."""


def f_measure(precision: float, recall: float, small: float = 0.0) -> float:
    """2PR / (P + R + small), 0 where both are 0."""
    total = precision + recall
    return 2.0 * precision * recall / (total + small) if total else 0.0


def set_f1(found: Collection[Any], gold: Collection[Any]) -> float:
    """F1 of two sets; an empty prediction has precision 0."""
    shared = len(set(found) & set(gold))
    precision = shared / len(set(found)) if found else 0.0
    recall = shared / len(set(gold)) if gold else 0.0
    return f_measure(precision, recall)


def _characters(text: str) -> list[str]:
    return [c for c in text.lower() if c.isalpha() or c.isdigit()]


def char_f1(first: str, second: str) -> float:
    """F1 of the bags of letters and digits; 1 where both are empty, 0 where one is."""
    one, two = _characters(first), _characters(second)
    if not one or not two:
        return float(not one and not two)
    left = Counter(one)
    shared = 0
    for character in two:
        rest = left.get(character, 0)
        if rest:
            left[character] = rest - 1
            shared += 1
    return f_measure(shared / len(one), shared / len(two))
