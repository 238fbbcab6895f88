"""Cases: what a model answered on validation beside what was asked, short enough to be compared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ft_bench.protocols import Lab

__all__ = ["MOST_TEXT", "Case", "Question", "excerpt", "questions", "read_cases", "slips"]

MOST_TEXT = 800
"""Characters of a prompt or an output that are looked at: its beginning and its end."""
_TAIL = 200
_RIGHT = 1 - 1e-9
_SHORT = 60
_BETWEEN = re.compile(r"[;,|\n]")


@dataclass(frozen=True, slots=True)
class Question:
    """One row: what is asked and what is right, as `excerpt`s; `length` is of the whole prompt."""

    id: str
    prompt: str
    answer: str
    length: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One item of validation and what became of it.

    `size` is the length of the whole output in characters, `prediction` what the scorer's parser
    found in it.
    """

    question: Question
    output: str
    size: int
    prediction: Any
    value: float
    valid: bool

    @property
    def right(self) -> bool:
        """Whether the item earned all it can."""
        return self.value >= _RIGHT


def excerpt(text: str) -> str:
    """The text, or its beginning and end where it is longer than `MOST_TEXT` characters."""
    if len(text) <= MOST_TEXT:
        return text
    return f"{text[: MOST_TEXT - _TAIL]} … {text[-_TAIL:]}"


@lru_cache(maxsize=4)
def questions(path: Path, source: str = "") -> tuple[Question, ...]:
    """The rows of a split; the column `source` says where a row came from. Read once a process."""
    with path.open(encoding="utf-8") as stream:
        return tuple(_question(json.loads(line), source) for line in stream)


def _question(row: Mapping[str, Any], source: str) -> Question:
    prompt = str(row.get("prompt", ""))
    return Question(
        id=str(row.get("id", "")),
        prompt=excerpt(prompt),
        answer=excerpt(str(row.get("answer", ""))),
        length=len(prompt),
        source=str(row.get(source, "")) if source else "",
    )


def read_cases(lab: Lab, model: str) -> list[Case]:
    """Every item of an evaluated model, in the order of the split."""
    asked = questions(lab.brief.validation)
    return [_case(row, item) for row, item in zip(asked, lab.items(model), strict=True)]


def _case(question: Question, item: Mapping[str, Any]) -> Case:
    output = str(item.get("output") or "")
    return Case(
        question=question,
        output=excerpt(output),
        size=len(output),
        prediction=item.get("prediction"),
        value=float(item["value"]),
        valid=bool(item["valid"]),
    )


def slips(case: Case) -> tuple[str, ...]:
    """What is wrong about a case, in words that other cases can share.

    A list answer misses or adds items; a short answer is one for another; what is longer than that
    is only wrong, or right in part.
    """
    if case.right:
        return ()
    if not case.valid:
        return ("no answer found",)
    if isinstance(case.prediction, list):
        return _list_slips(case.question.answer, [str(item) for item in case.prediction])
    found, gold = str(case.prediction), case.question.answer.strip()
    if case.prediction is not None and max(len(found), len(gold)) <= _SHORT and found != gold:
        return (f"{gold} answered as {found}",)
    return ("right in part",) if case.value > 0 else ("wrong",)


def _list_slips(answer: str, found: Sequence[str]) -> tuple[str, ...]:
    gold = [part.strip() for part in _BETWEEN.split(answer) if part.strip()]
    if any(len(item) > _SHORT for item in (*gold, *found)):
        return ("wrong list",)
    missed = [f"misses {item}" for item in sorted(set(gold) - set(found) - {"none"})]
    added = [f"adds {item}" for item in sorted(set(found) - set(gold))]
    return (*missed, *added) or ("wrong list",)
