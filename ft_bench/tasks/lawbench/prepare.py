"""LawBench's rows: the zero-shot files, of which 250 per sub-task are the test."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ft_bench.protocols import RowReader, TaskData
from ft_bench.tasks.carve import carve
from ft_bench.tasks.lawbench.targets import target_of

__all__ = ["SUBTASKS", "prepare"]

SUBTASKS = (
    *("1-1", "1-2", "2-1", "2-2", "2-3", "2-4", "2-5", "2-6", "2-7", "2-8", "2-9", "2-10"),
    *("3-1", "3-2", "3-3", "3-4", "3-5", "3-6", "3-7", "3-8"),
)
_QUOTAS = {"test": 250, "validation": 50}
_PROOFREADING = "2-1"
_LEAD = re.compile(r"^(?:事实|句子|段落|文书|场景):")


def _read(source: RowReader, subtask: str) -> list[dict[str, Any]]:
    path = source.path(f"zero_shot/{subtask}.json")
    return [
        {
            "id": f"{subtask}-{index}",
            "prompt": f"{record['instruction']}\n{record['question']}",
            "answer": target_of(subtask, record["answer"]),
            "subtask": subtask,
            "index": index,
            "question": record["question"],
            "reference": record["answer"],
        }
        for index, record in enumerate(json.loads(path.read_text(encoding="utf-8")))
    ]


def _case(row: Mapping[str, Any]) -> str:
    """What makes two rows the same case: the head of the text, without its name."""
    return _LEAD.sub("", str(row["question"]))[:60]


def _add_lexicon(source: RowReader, rows: list[dict[str, Any]]) -> None:
    """Put into each proofreading row what its scorer needs of the two word lists."""
    from ft_bench.tasks.lawbench.lexicon import pack, pack_classes, parse_cilin, parse_confusions

    classes = pack_classes(parse_cilin(source.path("eval_assets/cilin.txt").read_bytes()))
    path = source.path("eval_assets/confusion_dict.txt")
    confusions = parse_confusions(path.read_text(encoding="utf-8"))
    for row in rows:
        if row["subtask"] == _PROOFREADING:
            row["classes"] = classes
            row["confusions"] = pack(row["question"], confusions)


def prepare(source: RowReader) -> TaskData:
    """250 rows of each sub-task are test, 50 validation, the rest training; by a stable hash.

    Four sub-tasks ask about the same court cases, so a case goes to one split with all its rows.
    The training rows of proofreading are spare once more, with the word lists that scoring needs.
    """
    rows = [row for subtask in SUBTASKS for row in _read(source, subtask)]
    given = carve(rows, _QUOTAS, stratum=lambda row: str(row["subtask"]), key=_case)
    spare = [dict(row) for row in given["rest"] if row["subtask"] == _PROOFREADING]
    _add_lexicon(source, [*given["test"], *given["validation"], *spare])
    notes = (
        "The published sample of 250 rows per sub-task is not known; this one is by a stable hash.",
        "Validation and training are the other rows of the same files.",
    )
    return TaskData(given["rest"], given["validation"], given["test"], notes, spare)
