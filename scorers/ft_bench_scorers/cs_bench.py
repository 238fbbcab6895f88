"""CS-Bench: computer science, multiple choice and true or false, accuracy.

Multiple choice takes the first letter A to D that stands alone, in any case (the article "a" counts
as option A). An assertion takes the first whole word true or false. As released, upstream compares
"TRUE" with "true", so that no assertion can be right; the comparison is repaired here.
"""

from __future__ import annotations

import re

from ft_bench.protocols import ItemScore, Row
from ft_bench_scorers.means import MeanScorer

__all__ = ["ASSERTION", "MULTIPLE_CHOICE", "SCORER", "SLICES", "find_answer", "score_answer"]

MULTIPLE_CHOICE = "Multiple-choice"
ASSERTION = "Assertion"
SLICES = (
    MULTIPLE_CHOICE,
    ASSERTION,
    "Knowledge",
    "Reasoning",
    "Data Structure and Algorithm",
    "Computer Organization",
    "Computer Network",
    "Operating System",
)

_LETTER = re.compile(r"\b[ABCD]\b", re.IGNORECASE)
_TRUTH = re.compile(r"\b(?:true|false)\b")


def find_answer(text: str, form: str) -> str | None:
    """The letter, upper-case, or the lower-case truth value that `text` gives first, or None."""
    if form == ASSERTION:
        truth = _TRUTH.search(text.lower())
        return truth.group() if truth else None
    letter = _LETTER.search(text)
    return letter.group().upper() if letter else None


def score_answer(row: Row, text: str, parser: str) -> ItemScore:
    """1 where the answer found is the row's `answer`."""
    found = find_answer(text, row["format"])
    return ItemScore(row["id"], 1.0 if found == row["answer"] else 0.0, found is not None, found)


def _slices_of(row: Row) -> tuple[str, ...]:
    return row["format"], row.get("tag", ""), row.get("domain", "")


SCORER = MeanScorer(
    name="accuracy", version="1", score=score_answer, slices=SLICES, slices_of=_slices_of
)
