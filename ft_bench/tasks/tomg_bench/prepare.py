"""TOMG-Bench's rows: OpenMolIns for training, the nine test sets for validation and test."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from ft_bench.protocols import RowReader, TaskData
from ft_bench.tasks.carve import carve
from ft_bench.tasks.tomg_bench.repair import repaired

__all__ = ["QUOTAS", "SUBTASKS", "prepare", "prompt_for"]

SUBTASKS = {
    "AtomNum": "MolCustom",
    "BondNum": "MolCustom",
    "FunctionalGroup": "MolCustom",
    "AddComponent": "MolEdit",
    "DelComponent": "MolEdit",
    "SubComponent": "MolEdit",
    "LogP": "MolOpt",
    "MR": "MolOpt",
    "QED": "MolOpt",
}
"""Each sub-task and the folder that its test set is in."""

QUOTAS = {"test": 500, "validation": 50}
"""Rows per sub-task. The published benchmark's own sizes are not known."""

_SYSTEM = (
    "You are working as an assistant of a chemist user. Please follow the instruction of the "
    "chemist and generate a molecule that satisfies the requirements of the chemist user. Your "
    "final response should be a JSON object with the key 'molecule' and the value as a SMILES "
    'string. For example, {"molecule": "[SMILES_STRING]"}.'
)
_FIELDS = ("molecule", "added_group", "removed_group")


def prompt_for(instruction: str) -> str:
    """The user message: upstream's system message, then the instruction."""
    return f"{_SYSTEM}\n\n{instruction}"


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _constraints(line: dict[str, str]) -> dict[str, int]:
    return {
        name.replace("benzene rings", "benzene_ring"): int(float(value))
        for name, value in line.items()
        if name != "Instruction"
    }


def _benchmark_row(subtask: str, index: int, line: dict[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": f"{subtask}-{index}",
        "prompt": prompt_for(line["Instruction"]),
        "answer": "",
        "subtask": subtask,
        "index": index,
        "instruction": line["Instruction"],
    }
    if SUBTASKS[subtask] == "MolCustom":
        return {**row, "constraints": _constraints(line)}
    return {**row, **{name: line[name] for name in _FIELDS if name in line}}


def _training_row(index: int, line: dict[str, str]) -> dict[str, Any]:
    mended = repaired(line["Instruction"])
    instruction = mended or line["Instruction"]
    return {
        "id": f"train-{index}",
        "prompt": prompt_for(instruction),
        "answer": json.dumps({"molecule": line["molecule"]}),
        "subtask": line["SubTask"],
        "index": index,
        "instruction": instruction,
        "repaired": mended is not None,
    }


def _training(source: RowReader) -> tuple[list[dict[str, Any]], str]:
    large, small = (f"OpenMolIns/{scale}/train.csv" for scale in ("large", "small"))
    scale = "small" if source.has(small) and not source.has(large) else "large"
    lines = _lines(source.path(small if scale == "small" else large))
    return [_training_row(index, line) for index, line in enumerate(lines)], scale


def prepare(source: RowReader) -> TaskData:
    """500 rows of each test set are the test and 50 validation, by a hash of the instruction.

    The other rows of the test sets are spare: they have no answers to train on.
    """
    train, scale = _training(source)
    rows = []
    for subtask, folder in SUBTASKS.items():
        path = source.path(f"benchmarks/open_generation/{folder}/{subtask}/test.csv")
        rows += [_benchmark_row(subtask, index, line) for index, line in enumerate(_lines(path))]
    given = carve(
        rows,
        QUOTAS,
        stratum=lambda row: str(row["subtask"]),
        key=lambda row: str(row["instruction"]),
    )
    notes = [
        f"{sum(row['repaired'] for row in train)} training instructions had group and molecule "
        "exchanged and are put right.",
        "The benchmark has no gold molecules: `answer` is empty in validation and test.",
    ]
    if scale == "small":
        notes.insert(0, "Missing: OpenMolIns-large (90,000 rows); training is OpenMolIns-small.")
    return TaskData(train, given["validation"], given["test"], tuple(notes), given["rest"])
