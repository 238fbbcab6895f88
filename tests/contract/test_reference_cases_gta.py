"""Reference cases of GTA: answers, steps, whole dialogues, prompts."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from reference import SHARED, TOLERANCE, Case, read_cases, report


@cache
def dataset() -> dict[str, Any]:
    path = SHARED / "data" / "gta" / "dataset.json.gz"
    if not path.exists():
        pytest.skip("needs GTA's upstream file; set FT_BENCH_SHARED")
    samples: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return samples


def cases(subtask: str) -> list[Case]:
    return [case for case in read_cases("gta") if case["subtask"] == subtask]


def step_rows(name: str) -> list[Case]:
    sample = dataset()[name]
    turns = [turn for turn in sample["dialogs"] if turn["role"] == "assistant"]
    return [
        {
            "id": f"{name}-{at}",
            "gold": turn,
            "reference": sample["gt_answer"],
            "counts": int(at == len(turns) - 1 and bool(sample["gt_answer"])),
        }
        for at, turn in enumerate(turns)
    ]


def test_answers() -> None:
    from ft_bench_scorers.gta_answers import answer_score, trigram_similarity

    for case in cases("iscorrect"):
        ours = [
            bool(answer_score(sample["gt_answer"], output, trigram_similarity))
            for sample, output in zip(case["samples"], case["outputs"], strict=True)
        ]
        assert ours == case["official"]["correct"], case["batch"]


def step_mismatches() -> Iterator[str]:
    from ft_bench_scorers.gta import SCORER

    names = {"inst_align": "inst_acc", "tool_acc": "tool_acc", "arg_acc": "arg_acc"}
    for case in cases("step_by_step"):
        rows, steps = [], []
        for sample, output in zip(case["samples"], case["outputs"], strict=True):
            rows += step_rows(sample["id"])
            steps += output
        items = [SCORER.score_step(row, step) for row, step in zip(rows, steps, strict=True)]
        sums = SCORER.statistics(rows, items).sum(axis=0)
        parts = SCORER.components(sums)
        ours = {theirs: 100.0 * parts[name] for theirs, name in names.items()}
        ours |= {"answer_acc": 100.0 * float(SCORER.value(np.asarray(sums)))}
        ours |= {name: parts[name] for name in ("tool_call", "tool_call_error")}
        for name, value in case["official"].items():
            if abs(ours[name] - value) > TOLERANCE:
                yield f"{case['batch']} {name}: {ours[name]} for {value}"


def test_step_by_step() -> None:
    report(step_mismatches())


COUNTS = {"tool_call", "tool_call_error", "total_ansacc", "total_ansacc_wimggen"}


def dialogue_mismatches() -> Iterator[str]:
    from ft_bench.digest import canonical_json
    from ft_bench.tasks.gta.prepare import dialogue_row
    from ft_bench_scorers.gta import SCORER

    for case in cases("end_to_end"):
        names = [sample["id"] for sample in case["samples"]]
        prepared = [canonical_json(dialogue_row(name, dataset()[name])) for name in names]
        rows = [json.loads(row) for row in prepared]
        outputs = [json.dumps(steps) for steps in case["outputs"]]
        items = SCORER.score_items(rows, outputs, parser="dialogue")
        sums = SCORER.statistics(rows, items).sum(axis=0)
        ours = SCORER.components(sums)
        assert float(SCORER.value(np.asarray(sums))) == ours["answer_acc"]
        for name, value in case["official"].items():
            found = ours[name] if name in COUNTS else 100.0 * ours[name]
            if abs(found - value) > TOLERANCE:
                yield f"{case['batch']} {name}: {found} for {value}"


def test_end_to_end() -> None:
    report(dialogue_mismatches())


def test_prompts() -> None:
    from ft_bench.tasks.gta.react import messages_before

    toolmeta = json.loads((SHARED / "data/gta/toolmeta.json").read_text(encoding="utf-8"))
    for case in cases("react_prompt"):
        for sample, official in zip(case["samples"], case["outputs"], strict=True):
            ours = messages_before(dataset()[sample["id"]], sample["dialog_index"], toolmeta)
            assert ours == official, sample
