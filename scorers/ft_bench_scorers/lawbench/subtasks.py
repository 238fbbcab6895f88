"""Sub-tasks: which measure each of LawBench's twenty sub-tasks uses."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from ft_bench.protocols import Row
from ft_bench_scorers.lawbench.choices import dispute_focus, label_set, single_choice
from ft_bench_scorers.lawbench.numerals import amount, articles, prison_term
from ft_bench_scorers.lawbench.outcome import Outcome, char_f1
from ft_bench_scorers.lawbench.proofreading import proofread
from ft_bench_scorers.lawbench.segments import rouge_l
from ft_bench_scorers.lawbench.spans import entities, triggers

__all__ = ["ABSTAINING", "MAX_CHARS", "PROOFREADING", "SUBTASKS", "score_subtask"]

MAX_CHARS = 6_000
"""Longer answers are cut: some of upstream's expressions take quadratic time."""

PROOFREADING = "2-1"
ABSTAINING = frozenset(
    "1-2 2-2 2-3 2-4 2-6 2-8 2-9 3-1 3-3 3-4 3-5 3-6 3-7".split()  # noqa: SIM905
)
"""The sub-tasks that count abstentions."""

_Measure = Callable[[str, str], Outcome]


def _rouge(text: str, gold: str) -> Outcome:
    return Outcome(rouge_l(text, gold))


def _characters(text: str, gold: str) -> Outcome:
    return Outcome(char_f1(gold, text))


_MEASURES: dict[str, _Measure] = {
    "1-1": lambda text, gold: _rouge(text, gold.replace("答案:", "")),
    "1-2": lambda text, gold: single_choice("1-2", text, gold[5]),
    "2-2": lambda text, gold: dispute_focus(text, gold[7:-1]),
    "2-3": lambda text, gold: label_set("2-3", text, gold[3:-1].split("、")),
    "2-4": lambda text, gold: single_choice("2-4", text, gold),
    "2-5": lambda text, gold: _characters(text, gold.replace("回答:", "")),
    "2-6": entities,
    "2-7": _rouge,
    "2-8": lambda text, gold: single_choice("2-8", text, gold[6]),
    "2-9": lambda text, gold: label_set("2-9", text, gold.split(";")),
    "2-10": triggers,
    "3-1": articles,
    "3-2": _rouge,
    "3-3": lambda text, gold: label_set("3-3", text, gold.replace("罪名:", "").split(";")),
    "3-4": prison_term,
    "3-5": prison_term,
    "3-6": lambda text, gold: single_choice("3-6", text, gold[5]),
    "3-7": amount,
    "3-8": _rouge,
}
SUBTASKS = ("1-1", "1-2", PROOFREADING, *list(_MEASURES)[2:])


_CHOICES = frozenset({"1-2", "2-2", "2-3", "2-4", "2-8", "2-9", "3-3", "3-6"})
_SHORT = 64


@lru_cache(maxsize=8192)
def _again(subtask: str, text: str, reference: str) -> Outcome:
    """The outcome of a short answer where few different ones are given."""
    return _MEASURES[subtask](text, reference)


def score_subtask(row: Row, text: str) -> Outcome:
    """The outcome of an answer to a row, which has `subtask` and upstream's answer, `reference`."""
    subtask = row["subtask"]
    if len(text) < _SHORT and subtask in _CHOICES:
        return _again(subtask, text, row["reference"])
    text = text[:MAX_CHARS]
    if subtask == PROOFREADING:
        return proofread(row, text)
    return _MEASURES[subtask](text, row["reference"])
