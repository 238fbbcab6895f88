"""OpenFinData: nine Chinese finance sub-tasks, the mean of their accuracies.

Eight ask for a letter: the answer is the last upper-case character of the output, of any script, so
a capital in a trailing explanation overwrites it. `entity_recognition` asks for names: every name
of the gold answer must be a substring of the output; its accuracy is rounded to four decimals.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING

from ft_bench.protocols import ItemScore, Row
from ft_bench_scorers.means import GroupMeanScorer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LETTERED", "NAMES", "SCORER", "SUBTASKS", "last_capital", "score_answer"]

NAMES = "entity_recognition"
LETTERED = (
    "emotion_identification",
    "entity_disambiguation",
    "financial_facts",
    "data_inspection",
    "financial_terminology",
    "metric_calculation",
    "value_extraction",
    "intent_understanding",
)
SUBTASKS = (*LETTERED, NAMES)


def last_capital(text: str) -> str:
    """The last character that is upper-case in any script, "" where there is none."""
    if text.islower():
        return ""
    for character in reversed(text):
        if character.isupper():
            return character
    return ""


def score_answer(row: Row, text: str, parser: str) -> ItemScore:
    """1 where the letter is the gold one, or every gold name is in the output."""
    gold = row["answer"]
    if row["subtask"] == NAMES:
        wanted = gold.split("、")
        named = [name for name in wanted if name in text]
        right = 1.0 if len(named) == len(wanted) else 0.0
        return ItemScore(row["id"], right, bool(text.strip()), named)
    letter = last_capital(text)
    return ItemScore(row["id"], 1.0 if letter == gold else 0.0, bool(letter), letter or None)


def _rounded(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round the last group, entity_recognition, as upstream does. Shape (..., groups)."""
    import numpy as np

    names = np.round(means[..., -1:], 4)
    return np.concatenate([means[..., :-1], names], axis=-1)


_subtask: Callable[[Row], str] = itemgetter("subtask")


SCORER = GroupMeanScorer(
    name="accuracy",
    version="1",
    score=score_answer,
    groups=SUBTASKS,
    group_of=_subtask,
    finish=_rounded,
    views={"mean_of_8_lettered": LETTERED},
)
