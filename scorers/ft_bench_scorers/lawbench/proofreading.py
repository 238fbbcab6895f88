"""Proofreading: the counts of right, wrong and missed edits of one sentence (sub-task 2-1).

The F0.5 of the sub-task is taken over the sums of these counts. Predictions are cut to five
characters more than the reference; targets are turned into simplified characters where the package
`opencc` is installed. A sentence with too many alignments, or without any prediction but white
space, is scored as if it were the one word "无", which is what upstream's time limit comes to.
"""

from __future__ import annotations

import logging
from collections import Counter
from functools import cache
from typing import Any, NamedTuple

from ft_bench.errors import PrerequisiteError
from ft_bench.protocols import Row
from ft_bench_scorers.lawbench.edits import Edit, TooManyWays, edits_of
from ft_bench_scorers.lawbench.lexicon import Lexicon
from ft_bench_scorers.lawbench.packages import package

__all__ = ["Proof", "f_half", "proofread"]

_BLANK, _NOTHING, _SLACK = "无", "无内容", 5
_log = logging.getLogger(__name__)


@cache
def _converter() -> Any:
    try:
        opencc = package("opencc")
    except PrerequisiteError:
        _log.warning(
            "opencc is not installed: traditional characters in LawBench 2-1 count as errors; "
            "pip install opencc"
        )
        return None
    return opencc.OpenCC("t2s")


def _simplified(text: str) -> str:
    text = "".join(text.split())
    if text.isascii() or _converter() is None:
        return text
    whole = text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate is no character
    return str(_converter().convert(whole))


def _target(text: str, reference: str) -> str:
    text = text.replace("\n", "").replace("\t", "")
    if len(text) - len(reference) > _SLACK:
        text = text[: len(reference) + _SLACK]
    return text or _NOTHING


def _edits(source: str, target: str, lexicon: Lexicon) -> Counter[Edit]:
    plain = _simplified(target)
    if not plain:
        return edits_of(source, _BLANK, lexicon)
    try:
        return edits_of(source, plain, lexicon)
    except TooManyWays:
        return edits_of(source, _BLANK, lexicon)


def f_half(right: float, wrong: float, missed: float) -> float:
    """F0.5 of edit counts; precision and recall are 1 where nothing was wrong or missed."""
    precision = right / (right + wrong) if wrong else 1.0
    recall = right / (right + missed) if missed else 1.0
    total = 0.25 * precision + recall
    return 1.25 * precision * recall / total if total else 0.0


class Proof(NamedTuple):
    """One corrected sentence: the edits found, and how many were right, wrong and missed."""

    edits: list[Edit]
    right: int
    wrong: int
    missed: int


def proofread(row: Row, text: str) -> Proof:
    """The counts of the edits of `text` against those of the row's reference.

    An edit on which both sides agree counts as often as the reference has it.
    """
    reference = str(row["reference"])
    source = "".join(str(row["question"]).split())
    lexicon = Lexicon(str(row.get("classes", "")), str(row.get("confusions", "")))
    wanted = _edits(source, reference.replace("\n", "").replace("\t", ""), lexicon)
    found = _edits(source, _target(text, reference), lexicon)
    right = sum(wanted[edit] for edit in found if edit in wanted)
    wrong = sum(count for edit, count in found.items() if edit not in wanted)
    missed = sum(count for edit, count in wanted.items() if edit not in found)
    return Proof(list(found), right, wrong, missed)
