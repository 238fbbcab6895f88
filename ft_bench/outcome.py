"""Outcome: the per-item file of an evaluation, and the Score that follows from it.

The same few lines serve validation in the Lab, the sealed test in the grader, and an audit that
recomputes a card from stored predictions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ft_bench.digest import derive_seed, file_sha256
from ft_bench.files import write_lines
from ft_bench.protocols import ItemScore, Row, Scorer
from ft_bench.record import Score
from ft_bench.stats import interval_of
from ft_bench.task import TaskSpec

__all__ = ["filed", "read_items", "read_samples", "score_of", "statistics_of", "write_samples"]


def read_samples(path: Path) -> list[dict[str, Any]]:
    """The lines of a `samples.jsonl`: id, output, value, valid, prediction."""
    with path.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def write_samples(
    path: Path, rows: Sequence[Row], outputs: Sequence[str], items: Sequence[ItemScore]
) -> None:
    """Write what each row's output was and what it earned, one JSON line a row."""
    write_lines(
        path,
        (
            json.dumps({"output": output, **item._asdict(), "id": row["id"]}, ensure_ascii=False)
            + "\n"
            for row, output, item in zip(rows, outputs, items, strict=True)
        ),
    )


def read_items(path: Path) -> list[ItemScore]:
    """The item scores of a `samples.jsonl`."""
    return [
        ItemScore(
            id=line["id"],
            value=line["value"],
            valid=line["valid"],
            prediction=line.get("prediction"),
            components=line.get("components") or {},
        )
        for line in read_samples(path)
    ]


def statistics_of(path: Path, rows: Sequence[Row], scorer: Scorer) -> NDArray[np.float64]:
    """Additive statistics of an evaluation, shape (items, k), in the order of `rows`."""
    return scorer.statistics(rows, read_items(path))


def score_of(
    spec: TaskSpec,
    scorer: Scorer,
    rows: Sequence[Row],
    items: Sequence[ItemScore],
    split: Literal["validation", "test"],
) -> Score:
    """The metric of item scores, with its interval and parts; no file is named yet."""
    statistics = scorer.statistics(rows, items)
    sums = statistics.sum(axis=0)
    value = float(scorer.value(sums))
    ci = interval_of(
        statistics,
        scorer.value,
        kind=spec.metric.kind,
        span=(spec.metric.floor, spec.metric.ceiling),
        seed=derive_seed("interval", spec.id, split),
    )
    return Score(
        metric=spec.metric.name,
        value=value,
        ci=ci,
        n=len(items),
        invalid=sum(not item.valid for item in items),
        split=split,
        parser=spec.parser,
        components=scorer.components(sums),
    )


def filed(score: Score, root: Path, samples: Path, profile: str) -> Score:
    """The score with where its items lie, their checksum, and how they were generated."""
    return score.model_copy(
        update={
            "samples": str(samples.relative_to(root)),
            "samples_sha256": file_sha256(samples),
            "profile": profile,
        }
    )
