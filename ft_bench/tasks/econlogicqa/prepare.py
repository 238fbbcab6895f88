"""EconLogicQA's rows, from the three CSV files of the Hugging Face data set."""

from __future__ import annotations

import csv
from typing import Any

from ft_bench.protocols import RowReader, TaskData

__all__ = ["TRAIN_ROWS", "prepare", "prompt_for"]

TRAIN_ROWS = 260
"""The published benchmark trains on 260 of the 390 training rows; we take the first."""

_DESCRIPTION = (
    "The following are sorting questions (with answers) in the domains of economics, business, and "
    "supply chain management. Answer with the four letters in the right order and nothing else, "
    "in the form: A, B, C, D"
)


def prompt_for(line: dict[str, str]) -> str:
    """The user message for one question."""
    events = "\n".join(f"{letter}. {line[letter]}" for letter in "ABCD")
    return f"{_DESCRIPTION}\n\nQuestion: {line['Question']}\n\nChoices:\n{events}\n\nAnswer:"


def _read(source: RowReader, name: str, split: str) -> tuple[list[dict[str, Any]], bool]:
    """The rows of `<name>.csv`, or of its sample; and whether it was the sample."""
    sampled = not source.has(f"{name}.csv") and source.has(f"{name}.sample.csv")
    path = source.path(f"{name}.sample.csv" if sampled else f"{name}.csv")
    with path.open(encoding="utf-8", newline="") as lines:
        rows = [
            {
                "id": f"{split}-{index}",
                "prompt": prompt_for(line),
                "answer": line["Answer"].strip(),
                "question": line["Question"],
                **{letter: line[letter] for letter in "ABCD"},
            }
            for index, line in enumerate(csv.DictReader(lines))
        ]
    return rows, sampled


def prepare(source: RowReader, train_rows: int = TRAIN_ROWS) -> TaskData:
    """The official splits, training cut to its first `train_rows` rows."""
    train, sampled = _read(source, "train", "train")
    validation, _ = _read(source, "val", "validation")
    test, _ = _read(source, "test", "test")
    notes = (
        "Missing: train.csv, val.csv, test.csv; these are sample rows that test the loader only. "
        "ft-bench tasks prepare econlogicqa downloads the files.",
    )
    spare = train[train_rows:]
    return TaskData(train[:train_rows], validation, test, notes if sampled else (), spare)
