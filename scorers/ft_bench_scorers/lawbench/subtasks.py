"""Sub-tasks: which measure each of LawBench's twenty sub-tasks uses."""

from __future__ import annotations

from collections.abc import Callable

from ft_bench_scorers.lawbench.choices import (
    dispute_focus,
    label_set,
    letter_choice,
    single_choice,
)
from ft_bench_scorers.lawbench.numerals import amount, articles, prison_term
from ft_bench_scorers.lawbench.outcome import Outcome, char_f1
from ft_bench_scorers.lawbench.segments import rouge_l
from ft_bench_scorers.lawbench.spans import entities, triggers

__all__ = ["ABSTAINING", "MEASURES", "PROOFREADING", "SUBTASKS", "most_chars"]

PROOFREADING = "2-1"
ABSTAINING = frozenset(
    "1-2 2-2 2-3 2-4 2-6 2-8 2-9 3-1 3-3 3-4 3-5 3-6 3-7".split()  # noqa: SIM905
)
"""The sub-tasks that count abstentions."""

_Measure = Callable[[str, str], Outcome]
"""The text and upstream's answer to the outcome."""


def _rouge(text: str, gold: str) -> Outcome:
    return rouge_l(text, gold), False, None


def _characters(text: str, gold: str) -> Outcome:
    return char_f1(gold, text), False, None


MEASURES: dict[str, _Measure] = {
    "1-1": lambda text, gold: _rouge(text, gold.replace("答案:", "")),
    "1-2": letter_choice("1-2", 5),
    "2-2": lambda text, gold: dispute_focus(text, gold[7:-1]),
    "2-3": lambda text, gold: label_set("2-3", text, gold[3:-1].split("、")),
    "2-4": lambda text, gold: single_choice("2-4", text, gold),
    "2-5": lambda text, gold: _characters(text, gold.replace("回答:", "")),
    "2-6": entities,
    "2-7": _rouge,
    "2-8": letter_choice("2-8", 6),
    "2-9": lambda text, gold: label_set("2-9", text, gold.split(";")),
    "2-10": triggers,
    "3-1": articles,
    "3-2": _rouge,
    "3-3": lambda text, gold: label_set("3-3", text, gold.replace("罪名:", "").split(";")),
    "3-4": prison_term,
    "3-5": prison_term,
    "3-6": letter_choice("3-6", 5),
    "3-7": amount,
    "3-8": _rouge,
}
SUBTASKS = ("1-1", "1-2", PROOFREADING, *list(MEASURES)[2:])
_NUMERALS = frozenset({"3-1", "3-4", "3-5"})
_ROUGE = frozenset({"1-1", "2-7", "3-2", "3-8"})


def most_chars(subtask: str) -> int:
    """How much of an answer is read: some expressions, and jieba, take quadratic time."""
    if subtask in _NUMERALS:
        return 6_000
    return 20_000 if subtask in _ROUGE else 100_000
