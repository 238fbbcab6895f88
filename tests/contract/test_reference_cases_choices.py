"""Reference cases of the tasks with choices: OpenFinData and CS-Bench."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from reference import TOLERANCE, Case, metric, read_cases, report


def openfindata_mismatches(parser: str) -> Iterator[str]:
    from ft_bench_scorers.openfindata import SCORER

    for case in read_cases("openfindata"):
        rows = [
            {"id": sample["id"], "subtask": case["subtask"], "answer": sample["answer"]}
            for sample in case["samples"]
        ]
        official = case["official"]
        items = SCORER.score_items(rows, case["outputs"], parser=parser)
        if [bool(item.value) for item in items] != official["correct"]:
            yield f"{case['subtask']} {case['batch']}: other items are right"
        ours = 100.0 * metric(SCORER, rows, case["outputs"], parser)
        if abs(ours - official["accuracy"]) > TOLERANCE:
            yield f"{case['subtask']} {case['batch']}: {ours} for {official['accuracy']}"
        if official["extracted"] is not None:
            letters = [item.prediction or "" for item in items]
            if letters != official["extracted"]:
                yield f"{case['subtask']} {case['batch']}: {letters}"


@pytest.mark.parametrize("parser", ["strict", "verbatim"])
def test_openfindata(parser: str) -> None:
    report(openfindata_mismatches(parser))


def cs_mismatches(parser: str) -> Iterator[str]:
    from ft_bench_scorers.cs_bench import SCORER

    for case in read_cases("cs_bench"):
        if parser == "strict" and any("think>" in output for output in case["outputs"]):
            continue
        form = case["subtask"].partition("/")[2]
        rows = [
            {
                "id": str(sample["ID"]),
                "format": sample.get("Format", form),
                "answer": str(sample["Answer"]).lower()
                if isinstance(sample["Answer"], bool)
                else sample["Answer"],
            }
            for sample in case["samples"]
        ]
        repaired = case["repaired_not_official"]
        items = SCORER.score_items(rows, case["outputs"], parser=parser)
        if [int(item.value) for item in items] != repaired["score"]:
            yield f"{case['subtask']} {case['batch']}: other items are right"
        ours = metric(SCORER, rows, case["outputs"], parser)
        if abs(ours - repaired["mean"]) > TOLERANCE:
            yield f"{case['subtask']} {case['batch']}: {ours} for {repaired['mean']}"
        yield from cs_released(case, rows, items)


def cs_released(case: Case, rows: list[Case], items: list[Any]) -> Iterator[str]:
    """The values as released, where no assertion can be right, and the letters that were seen."""
    official = case["official"]
    released = [
        int(i.value) * (r["format"] != "Assertion") for r, i in zip(rows, items, strict=True)
    ]
    if released != official["score"] or abs(np.mean(released) - official["mean"]) > TOLERANCE:
        yield f"{case['subtask']} {case['batch']}: other values as released"
    for item, seen in zip(items, official.get("mc_matches") or [], strict=False):
        if item.prediction != (seen[0].upper() if seen else None):
            yield f"{case['subtask']} {case['batch']} {item.id}: {item.prediction} for {seen}"


@pytest.mark.parametrize("parser", ["strict", "verbatim"])
def test_cs_bench(parser: str) -> None:
    report(cs_mismatches(parser))
