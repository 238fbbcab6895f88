"""ACI-Bench's rows: each encounter's dialogue five times, for the whole note and four divisions."""

from __future__ import annotations

import json
from typing import Any

from ft_bench.protocols import RowReader, TaskData

__all__ = ["DIVISIONS", "FILES", "prepare", "prompt_for"]

DIVISIONS = ("full", "subjective", "objective_exam", "objective_results", "assessment_and_plan")
FILES = {
    "train": ("train",),
    "validation": ("valid",),
    "test": ("clinicalnlp_taskB_test1", "clinicalnlp_taskC_test2", "clef_taskC_test3"),
}
"""Upstream's splits behind each of ours; a file is `<split>_<division>.json`."""

_WANTED = {
    "full": "the full clinical note",
    "subjective": "the subjective division of the clinical note (complaint, history, review)",
    "objective_exam": "the objective_exam division of the clinical note (physical examination)",
    "objective_results": "the objective_results division of the clinical note (test results)",
    "assessment_and_plan": "the assessment_and_plan division of the clinical note",
}


def prompt_for(dialogue: str, division: str) -> str:
    """The user message: which text is wanted, then the dialogue.

    Args:
        dialogue: with its speaker tags.
        division: one of DIVISIONS, "" to ask for a note without naming any.
    """
    wanted = _WANTED.get(division, "a clinical note")
    empty = (
        f" If the dialogue has nothing for it, write exactly: {division}: #####EMPTY#####."
        if division not in ("", "full")
        else ""
    )
    return f"Write {wanted} for this doctor-patient dialogue.{empty}\n\n{dialogue}\n\nNote:"


def _read(source: RowReader, upstream: str, division: str, hint: bool) -> list[dict[str, Any]]:
    text = source.path(f"{upstream}_{division}.json").read_text(encoding="utf-8")
    return [
        {
            "id": record["file"],
            "prompt": prompt_for(record["src"], division if hint else ""),
            "answer": record["tgt"],
            "division": division,
            "upstream_split": upstream,
            "index": index,
        }
        for index, record in enumerate(json.loads(text)["data"])
    ]


def prepare(source: RowReader, division_hint: bool = True) -> TaskData:
    """The splits of the five-part files.

    Args:
        source: the upstream files.
        division_hint: whether prompts name the wanted division. Without it every encounter has
            five equal prompts, for which a perfect full note scores 0.49.
    """
    splits = {
        split: [
            row
            for upstream in files
            for division in DIVISIONS
            for row in _read(source, upstream, division, division_hint)
        ]
        for split, files in FILES.items()
    }
    absent = sum("#####EMPTY#####" in row["answer"] for row in splits["test"])
    return TaskData(**splits, notes=(f"{absent} test divisions are absent and marked as empty.",))
