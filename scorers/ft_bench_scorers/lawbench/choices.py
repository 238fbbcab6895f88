"""Choices: the LawBench sub-tasks whose answers are labels of a closed list.

A label is chosen where its name is a substring of the answer; case matters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from ft_bench_scorers.lawbench.labels import labels_of
from ft_bench_scorers.lawbench.outcome import Outcome, set_f1

__all__ = ["dispute_focus", "label_set", "letter_choice", "single_choice"]

_SKIPPED_FOCUS = "赔偿"


def single_choice(subtask: str, text: str, gold: str) -> Outcome:
    """1 where exactly one label occurs and it is `gold`; abstains where none occurs."""
    found = [label for label in labels_of(subtask) if label in text]
    return 1.0 if found == [gold] else 0.0, not found, found


def letter_choice(subtask: str, at: int) -> Callable[[str, str], Outcome]:
    """The single choice among letters whose gold one stands at place `at` of upstream's answer."""
    labels = labels_of(subtask)

    def measure(text: str, gold: str) -> Outcome:
        found = [label for label in labels if label in text]
        return 1.0 if found == [gold[at]] else 0.0, not found, found

    return measure


def dispute_focus(text: str, gold: str) -> Outcome:
    """2-2: a single choice; the gold label that the list lacks is left out of the mean."""
    value, abstained, found = single_choice("2-2", text, gold)
    return None if gold == _SKIPPED_FOCUS else value, abstained, found


def label_set(subtask: str, text: str, gold: Collection[str]) -> Outcome:
    """F1 of the set of labels that occur; abstains where none occurs."""
    found = [label for label in labels_of(subtask) if label in text]
    return set_f1(found, gold), not found, found
