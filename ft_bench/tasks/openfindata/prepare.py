"""OpenFinData's rows: the nine files that are scored, with a validation split carved out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ft_bench.protocols import RowReader, TaskData
from ft_bench.tasks.carve import carve

__all__ = ["FILES", "VALIDATION_ROWS", "prepare", "prompt_for"]

FILES = (
    "emotion_identification",
    "entity_disambiguation",
    "financial_facts",
    "data_inspection",
    "financial_terminology",
    "metric_calculation",
    "value_extraction",
    "intent_understanding",
    "entity_recognition",
)
VALIDATION_ROWS = 15
"""Per file: 135 of the 650 rows."""


def prompt_for(record: Mapping[str, str]) -> str:
    """The zero-shot prompt of OpenCompass; it ends in a blank."""
    options = "".join(f"\n{letter}. {record[letter]}" for letter in "ABCDE" if letter in record)
    return f"{record['question']}{options}\n答案: "


def _read(source: RowReader, name: str) -> list[dict[str, Any]]:
    records = json.loads(source.path(f"scored/{name}.json").read_text(encoding="utf-8"))
    return [
        {
            "id": f"{name}-{index}",
            "prompt": prompt_for(record),
            "answer": record["answer"],
            "subtask": name,
            "index": index,
        }
        for index, record in enumerate(records)
    ]


def prepare(source: RowReader) -> TaskData:
    """Validation is carved from the published rows by a hash; there is no training split.

    The terms of the data forbid training on it.
    """
    rows = [row for name in FILES for row in _read(source, name)]
    given = carve(
        rows,
        {"validation": VALIDATION_ROWS},
        stratum=lambda row: str(row["subtask"]),
        key=lambda row: str(row["prompt"]),
    )
    notes = (
        f"Validation is {VALIDATION_ROWS} rows of each file, by a hash of the prompt; the test has "
        f"the other {len(given['rest'])} of the published {len(rows)}.",
        "There are no training rows: the terms of the data forbid training on it.",
    )
    return TaskData([], given["validation"], given["rest"], notes)
