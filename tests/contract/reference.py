"""Reference cases as files: where they are, how they are read, how mismatches are told."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(os.environ.get("FT_BENCH_SHARED", Path(__file__).resolve().parents[3] / "shared"))
TOLERANCE = 1e-9

Case = dict[str, Any]


def read_cases(task: str) -> list[Case]:
    path = SHARED / "cases" / f"{task}.jsonl"
    if not path.exists():
        pytest.skip("needs the reference cases; set FT_BENCH_SHARED")
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def metric(scorer: Any, rows: list[Case], outputs: list[str], parser: str) -> float:
    items = scorer.score_items(rows, outputs, parser=parser)
    return float(scorer.value(scorer.statistics(rows, items).sum(axis=0)))


def report(mismatches: Iterator[str]) -> None:
    found = list(mismatches)
    assert not found, f"{len(found)} mismatches, the first: " + " | ".join(found[:5])
