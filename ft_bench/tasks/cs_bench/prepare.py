"""CS-Bench's rows: multiple choice and assertions of one language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ft_bench.protocols import RowReader, TaskData

__all__ = ["FORMATS", "LANGUAGES", "prepare", "prompt_for"]

FORMATS = ("Multiple-choice", "Assertion")
"""The formats that are scored without a judge."""

LANGUAGES = ("EN", "CN")
"""The languages whose answers are letters and truth values."""

_CHOICE = {
    "EN": (
        "This is a multiple-choice question. Please read the question carefully and choose the "
        "correct answer. Question:",
        "\nWhich one of the following options is correct? Options:",
        "\nPlease provide the answer to this question directly (a single letter):",
    ),
    "CN": (
        "这是一道选择题。请仔细阅读问题，选择正确的答案。题目：",
        "\n以下哪个选项是正确的?选项:",
        "\n请直接给出这个问题的答案(一个字母):",
    ),
}
_ASSERTION = {
    "EN": (
        "This is a true/false question. Please determine whether the following statement is true "
        "or false. Statement:",
        "Please give the answer directly (true or false):",
    ),
    "CN": (
        "这是一个判断题。请确定以下题目是正确还是错误。题目：",
        "请直接给出答案(true or false):",
    ),
}


def prompt_for(record: Mapping[str, Any], language: str) -> str:
    """Upstream's prompt for one record, in "EN" or "CN"."""
    if record["Format"] == "Assertion":
        before, after = _ASSERTION[language]
        return f"{before}{record['Question']}{after}"
    before, between, after = _CHOICE[language]
    options = "".join(f"\n({letter}){record[letter]}" for letter in "ABCD")
    return f"{before}{record['Question']}{between}{options}{after}"


def _row(record: Mapping[str, Any], language: str) -> dict[str, Any]:
    answer = record["Answer"]
    return {
        "id": f"{language}-{record['ID']}",
        "prompt": prompt_for(record, language),
        "answer": str(answer).lower() if isinstance(answer, bool) else str(answer),
        "format": record["Format"],
        "tag": record["Tag"],
        "domain": record["Domain"],
        "subdomain": record["SubDomain"],
    }


def _read(source: RowReader, split: str, language: str) -> list[dict[str, Any]]:
    path = source.path(f"CSBench-{language}/{split}.json")
    records = json.loads(path.read_text(encoding="utf-8"))
    return [_row(record, language) for record in records if record["Format"] in FORMATS]


def prepare(source: RowReader, language: str = "EN") -> TaskData:
    """The official validation and test records in the scored formats; there is no training split.

    Args:
        source: the upstream files.
        language: "EN" or "CN". The other languages are translations of the same records, so none
            may be trained on.
    """
    validation, test = _read(source, "valid", language), _read(source, "test", language)
    others = [other for other in LANGUAGES if other != language]
    spare = [
        row
        for other in others
        for split in ("valid", "test")
        if source.has(f"CSBench-{other}/{split}.json")
        for row in _read(source, split, other)
    ]
    known = {row["prompt"] for row in validation}
    repeated = sum(row["prompt"] in known for row in test)
    notes = (
        f"The published benchmark names 1,711 test rows; the files have {len(test)}, all of which "
        "are used.",
        f"{repeated} test prompts also occur in validation, as upstream.",
        "There are no training rows upstream.",
    )
    return TaskData([], validation, test, notes, spare)
