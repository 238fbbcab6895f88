"""HoC's rows, from the tab-separated files of the BLUE split."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from ft_bench.protocols import RowReader, TaskData

__all__ = ["HALLMARKS", "prepare", "prompt_for"]

HALLMARKS = (
    "sustaining proliferative signaling",
    "evading growth suppressors",
    "resisting cell death",
    "enabling replicative immortality",
    "inducing angiogenesis",
    "activating invasion and metastasis",
    "genomic instability and mutation",
    "tumor promoting inflammation",
    "cellular energetics",
    "avoiding immune destruction",
)
"""The labels in the order that prompts and answers keep."""

_INSTRUCTION = (
    "Which hallmarks of cancer is this abstract about? Topics: "
    + "; ".join(HALLMARKS)
    + ". One abstract may have several topics. Output format: provide a semicolon-separated list "
    "of the relevant topics, nothing else."
)


def prompt_for(abstract: str) -> str:
    """The user message for one abstract."""
    return f"{_INSTRUCTION}\n\nAbstract: {abstract}\n\nTopics:"


def _row(split: str, pmid: str, text: str, labels: str) -> dict[str, Any]:
    named = labels.split(";")
    return {
        "id": f"{split}-{pmid}",
        "prompt": prompt_for(text),
        "answer": ";".join(label for label in HALLMARKS if label in named),
        "pmid": pmid,
        "text": text,
    }


def _read(path: Path, split: str) -> list[dict[str, Any]]:
    """Rows of a file `pmid<TAB>text<TAB>labels` with a header.

    Some fields are quoted as in CSV, with doubled quotes inside, so a CSV reader is needed.
    """
    with path.open(encoding="utf-8", newline="") as lines:
        return [
            _row(split, line["pmid"], line["text"].strip(), line["labels"])
            for line in csv.DictReader(lines, delimiter="\t")
        ]


def prepare(source: RowReader) -> TaskData:
    """The official splits; each answer lists its labels in one fixed order."""
    return TaskData(
        train=_read(source.path("train.tsv"), "train"),
        validation=_read(source.path("dev.tsv"), "validation"),
        test=_read(source.path("test.tsv"), "test"),
    )
