"""Validate: whether a prepared task is what its specification says, check by check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ft_bench import registry
from ft_bench.audit import normalised
from ft_bench.outcome import score_of
from ft_bench.prepare import Prepared, read_rows
from ft_bench.protocols import Row

__all__ = ["Check", "validate"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, whether it holds, and what was seen."""

    name: str
    holds: bool
    seen: str


def validate(data: Prepared) -> list[Check]:
    """Run every check on a prepared task. Reads the test split: only a person calls this."""
    rows = {
        "train": read_rows(data.train),
        "validation": read_rows(data.validation),
        "test": read_rows(data.test),
    }
    return [
        *_schema(rows),
        *_counts(data, rows),
        *_apart(rows),
        *_scores(data, rows["test"]),
        *_reference(data),
    ]


def _schema(rows: dict[str, list[dict[str, Any]]]) -> list[Check]:
    found = []
    for split, items in rows.items():
        bad = [
            str(row.get("id"))
            for row in items
            if not all(isinstance(row.get(name), str) for name in ("id", "prompt", "answer"))
        ]
        repeated = len(items) - len({row.get("id") for row in items})
        seen = f"{len(bad)} rows without id, prompt and answer; {repeated} repeated ids"
        found.append(Check(f"schema of {split}", not bad and not repeated, seen))
    return found


def _counts(data: Prepared, rows: dict[str, list[dict[str, Any]]]) -> list[Check]:
    expected = data.spec.splits.model_dump(exclude={"note"})
    return [
        Check(
            f"rows of {split}",
            len(items) == expected[split] or bool(data.spec.missing),
            f"{len(items):,} of {expected[split]:,}",
        )
        for split, items in rows.items()
    ]


def _apart(rows: dict[str, list[dict[str, Any]]]) -> list[Check]:
    """Prompts that stand in two splits; known faults of upstream are reported, not failed."""
    texts = {
        split: Counter(normalised(str(row["prompt"])) for row in items)
        for split, items in rows.items()
    }
    found = []
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        shared = sum(count for text, count in texts[second].items() if text in texts[first])
        limit = max(5, len(rows[second]) // 20)
        seen = f"{shared} of {len(rows[second])} {second} prompts also stand in {first}"
        found.append(Check(f"{first} apart from {second}", shared <= limit, seen))
    return found


def _scores(data: Prepared, test: Sequence[Row]) -> list[Check]:
    spec = data.spec
    scorer = registry.scorer(spec.scorer)
    found = []
    metric = spec.metric
    gold = metric.ceiling if metric.gold is None else metric.gold
    empty = metric.floor if metric.empty is None else metric.empty
    for name, value, field in (("gold", gold, "answer"), ("empty", empty, "")):
        outputs = [str(row[field]) if field else "" for row in test]
        if name == "gold" and not any(outputs):
            found.append(Check("gold answers", True, "the task has no gold texts"))
            continue
        items = scorer.score_items(test, outputs, parser=spec.parser)
        score = score_of(spec, scorer, test, items, "test").value
        holds = abs(score - value) < 1e-9
        found.append(Check(f"{name} answers", holds, f"{score:.6f}, expected {value:g}"))
    return found


def _reference(data: Prepared) -> list[Check]:
    reference = data.spec.reference
    if reference is None:
        return [Check("reference", True, "the task has none")]
    metric = data.spec.metric
    inside = all(
        metric.floor <= value <= metric.ceiling for value in (reference.score, reference.base)
    )
    seen = f"reference {reference.score:g}, base {reference.base:g} ({reference.source})"
    return [Check("reference", inside and reference.score != reference.base, seen)]
