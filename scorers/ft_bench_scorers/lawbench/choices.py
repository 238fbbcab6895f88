"""Choices: the LawBench sub-tasks whose answers are labels of a closed list.

A label is chosen where its name is a substring of the answer; case matters.
"""

from __future__ import annotations

from collections.abc import Collection

from ft_bench_scorers.lawbench.labels import labels_of
from ft_bench_scorers.lawbench.outcome import Outcome, set_f1

__all__ = ["dispute_focus", "label_set", "single_choice"]

_SKIPPED_FOCUS = "赔偿"


def _hits(subtask: str, text: str) -> list[str]:
    return [label for label in labels_of(subtask) if label in text]


def single_choice(subtask: str, text: str, gold: str) -> Outcome:
    """1 where exactly one label occurs and it is `gold`; abstains where none occurs."""
    found = _hits(subtask, text)
    return Outcome(float(found == [gold]), not found, found)


def dispute_focus(text: str, gold: str) -> Outcome:
    """2-2: a single choice; the gold label that the list lacks is left out of the mean."""
    outcome = single_choice("2-2", text, gold)
    return outcome._replace(weight=float(gold != _SKIPPED_FOCUS))


def label_set(subtask: str, text: str, gold: Collection[str]) -> Outcome:
    """F1 of the set of labels that occur; abstains where none occurs."""
    found = _hits(subtask, text)
    return Outcome(set_f1(found, gold), not found, found)
