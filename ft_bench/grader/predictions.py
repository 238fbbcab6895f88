"""Predictions: a file of outputs, checked against a split row by row and scored."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from ft_bench import registry
from ft_bench.errors import DataMissing, UnknownName, UsageError
from ft_bench.grader.questions import ANY, Questions
from ft_bench.outcome import score_of, write_samples
from ft_bench.protocols import ItemScore, Row, Scorer
from ft_bench.task import TaskSpec

__all__ = ["read_predictions", "score_file"]

_SHOWN = 3


def score_file(
    spec: TaskSpec,
    questions: Questions,
    path: Path,
    *,
    parser: str | None = None,
    partial: bool = False,
    items: Path | None = None,
) -> dict[str, Any]:
    """Score a JSONL file with `id` and `output` against a split, or against given rows.

    Args:
        spec: the task.
        questions: the rows that the ids of the file name.
        path: the predictions, in any order.
        parser: one of the scorer's; by default the task's own.
        partial: score the rows that are there; without it every row of the split must be.
        items: where each item's outcome is written, None for nowhere.

    Returns:
        `score`, `ci`, `components`, `n`, `invalid`, `parser`, `metric`, `task`, `task_version`,
        `scorer_version` and `split`.

    Raises:
        UsageError: for unknown, repeated or missing ids, or a line that is not a prediction.
    """
    scorer = registry.scorer(spec.scorer)
    chosen = parser or spec.parser
    if chosen not in scorer.parsers:
        raise UnknownName(f"parser of {spec.id}", chosen, scorer.parsers)
    outputs = read_predictions(path)
    rows = _matched(questions, outputs, path, spec.id, partial=partial)
    texts = [outputs[str(row["id"])] for row in rows]
    scored = _scored(scorer, rows, texts, chosen, questions)
    if items is not None:
        write_samples(items, rows, texts, scored)
    named: Literal["validation", "test"] = (
        "validation" if questions.split == "validation" else "test"
    )
    score = score_of(spec, scorer, rows, scored, named)
    return {
        "task": spec.id,
        "task_version": spec.version,
        "scorer_version": scorer.version,
        "split": questions.split,
        "metric": score.metric,
        "score": score.value,
        "ci": score.ci.model_dump(),
        "components": dict(score.components),
        "n": score.n,
        "invalid": score.invalid,
        "parser": chosen,
    }


def read_predictions(path: Path) -> dict[str, str]:
    """Outputs by id.

    Raises:
        DataMissing: where there is no such file.
        UsageError: names the line that is not `{"id": ..., "output": ...}`, or an id given twice.
    """
    found: dict[str, str] = {}
    try:
        lines = path.read_bytes().removeprefix(BOM_UTF8).split(b"\n")
    except (FileNotFoundError, IsADirectoryError) as cause:
        raise DataMissing(f"{path} is not there; expected JSONL with id and output") from cause
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, output = _prediction(path, number, line)
        if name in found:
            raise UsageError(f"{path} line {number} repeats id {name!r}; expected each id once")
        found[name] = output
    if not found:
        raise UsageError(f"{path} holds no prediction; expected lines with id and output")
    return found


def _prediction(path: Path, number: int, line: bytes) -> tuple[str, str]:
    try:
        value = json.loads(line.decode("utf-8", "replace"))
    except (json.JSONDecodeError, RecursionError) as cause:
        raise UsageError(
            f"{path} line {number} is not JSON: {cause}; expected one object"
        ) from cause
    if not isinstance(value, dict) or "id" not in value or "output" not in value:
        raise UsageError(
            f"{path} line {number} is {line[:60].decode('utf-8', 'replace')!r}; expected an object "
            'with "id" and "output"'
        )
    output = value["output"]
    if output is not None and not isinstance(output, str):
        raise UsageError(
            f"{path} line {number}: output is {type(output).__name__}, expected text or null"
        )
    return str(value["id"]), output or ""


def _scored(
    scorer: Scorer, rows: list[Row], texts: list[str], parser: str, questions: Questions
) -> list[ItemScore]:
    """Score; a person's own rows, and training rows, may lack what the scorer reads."""
    if questions.split in ("test", "validation"):
        return scorer.score_items(rows, texts, parser=parser)
    try:
        return scorer.score_items(rows, texts, parser=parser)
    except (AttributeError, LookupError, TypeError, ValueError) as cause:
        raise UsageError(
            f"{questions.given or 'the prepared data'} has a row that scorer {scorer.name!r} "
            f"cannot read ({type(cause).__name__}: {cause}); expected the fields of a test row, "
            "see docs/guides/score.md"
        ) from cause


def _matched(
    questions: Questions, outputs: dict[str, str], path: Path, task: str, *, partial: bool
) -> list[Row]:
    rows = questions.rows(outputs)
    known = {str(row["id"]) for row in rows}
    unknown = [name for name in outputs if name not in known]
    if unknown:
        raise UsageError(_stranger(questions, outputs, unknown, path, task))
    missing = [name for name in known if name not in outputs]
    if missing and not partial and questions.split != ANY:
        missing = [str(row["id"]) for row in rows if str(row["id"]) not in outputs]
        raise UsageError(
            f"{path} lacks {len(missing)} of {len(rows)} rows, {_some(missing)}; add them, or give "
            "--partial to score the others alone"
        )
    return [row for row in rows if str(row["id"]) in outputs]


def _stranger(
    questions: Questions, outputs: dict[str, str], unknown: list[str], path: Path, task: str
) -> str:
    """What to say about ids that the split does not have."""
    elsewhere = questions.elsewhere(unknown[0])
    if elsewhere:
        ids = "id" if len(unknown) == 1 else "ids"
        return (
            f"{path} holds {len(unknown)} {ids} outside {task}'s {questions.split} split, "
            f"{_some(unknown)}; that one is of {elsewhere}: give --split {ANY} to score all the "
            "rows that the prepared data know"
        )
    if len(unknown) < len(outputs):
        ids = "id" if len(unknown) == 1 else "ids"
        return f"{path} holds {len(unknown)} unknown {ids}, {_some(unknown)}; remove them"
    if questions.split == ANY:
        return (
            f"{path} holds no id of {task}'s rows (first id {unknown[0]!r}, expected ids such as "
            f"{questions.example()!r}); is it another task's file? Data that an older version "
            f"prepared may lack spare rows: `ft-bench tasks prepare {task} --fresh`"
        )
    return (
        f"{path} holds no id of {task}'s {questions.split} split (first id {unknown[0]!r}, "
        f"expected ids such as {questions.example()!r}); is it another task's file?"
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    return f"such as {shown}" + (", ..." if len(names) > _SHOWN else "")
