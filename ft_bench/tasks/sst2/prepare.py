"""SST-2's rows, from GLUE's tab-separated files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ft_bench.protocols import RowReader, TaskData

__all__ = ["MISLABELLED_TEST_ROWS", "prepare", "prompt_for"]

MISLABELLED_TEST_ROWS = frozenset({589, 660, 846, 1194, 1236})
"""Test rows, from 0, which the labelled copy calls negative and three other copies positive."""

_NAMES = ("negative", "positive")


def prompt_for(sentence: str) -> str:
    """The user message for one sentence: short, so that very small models can be trained on it."""
    return f"Review: {sentence}\nSentiment (positive or negative):"


def _row(split: str, index: int, sentence: str, label: int) -> dict[str, Any]:
    return {
        "id": f"{split}-{index}",
        "prompt": prompt_for(sentence),
        "answer": _NAMES[label],
        "index": index,
        "sentence": sentence,
        "label": label,
    }


def _read(
    path: Path, split: str, mislabelled: frozenset[int] = frozenset()
) -> list[dict[str, Any]]:
    """Rows of a file `sentence<TAB>label` with a header.

    Quotes have no meaning in it, lines end in LF or CRLF, and sentences may end in a blank, which
    is dropped. The labels of the rows in `mislabelled` are turned round.
    """
    lines = path.read_bytes().decode("utf-8").replace("\r\n", "\n").rstrip("\n").split("\n")
    rows = []
    for index, line in enumerate(lines[1:]):
        sentence, _, label = line.rpartition("\t")
        rows.append(_row(split, index, sentence.strip(), int(label) ^ (index in mislabelled)))
    return rows


def prepare(source: RowReader) -> TaskData:
    """The official splits, with the five wrong labels of the test file put right."""
    return TaskData(
        train=_read(source.path("train.tsv"), "train"),
        validation=_read(source.path("dev.tsv"), "validation"),
        test=_read(source.path("test-labeled.tsv"), "test", MISLABELLED_TEST_ROWS),
        notes=(
            f"{len(MISLABELLED_TEST_ROWS)} test labels of the labelled copy are corrected.",
            "Two test sentences also occur in the training split, as upstream.",
        ),
    )
