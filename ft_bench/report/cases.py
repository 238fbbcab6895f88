"""Cases: what the chosen model got wrong on validation, and what training fixed or broke."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from ft_bench.job import EvaluateJob, read_job
from ft_bench.outcome import read_samples
from ft_bench.prepare import read_rows
from ft_bench.report.history import History

__all__ = ["Case", "Cases", "read_cases"]

Flip = Literal["fixed", "broken", "still wrong", "still right", "wrong", "right"]
_RIGHT = 1 - 1e-9
_KINDS: tuple[Flip, ...] = ("fixed", "broken", "still wrong", "still right", "wrong", "right")
_ORDER: tuple[Flip, ...] = ("broken", "still wrong", "wrong")


@dataclass(frozen=True, slots=True)
class Case:
    """One item. Prompt and gold answer are empty where the validation rows are not at hand."""

    id: str
    flip: Flip
    value: float
    valid: bool
    output: str
    base_output: str = ""
    prompt: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Cases:
    """How many items of each kind there are, and the first of the bad ones.

    `missing` says why there are none.
    """

    model: str
    counts: Mapping[Flip, int]
    shown: tuple[Case, ...]
    missing: str = ""

    @property
    def bad(self) -> int:
        """How many items are wrong, shown or not."""
        return sum(self.counts.get(kind, 0) for kind in _ORDER)


def read_cases(history: History, most: int) -> Cases:
    """The bad cases of the chosen model: those it broke first, then the worst values."""
    model = history.chosen
    after = _samples(history, model)
    if after is None:
        return Cases(model, {}, (), f"no per-item outcomes of {model} are at hand")
    before = {} if model == "base" else _samples(history, "base") or {}
    flips = {key: _flip(line, before.get(key)) for key, line in after.items()}
    counts = {kind: list(flips.values()).count(kind) for kind in _KINDS}
    bad = [key for key, flip in flips.items() if flip in _ORDER]
    bad.sort(key=lambda key: (_ORDER.index(flips[key]), _value(after[key])))
    rows = _rows(history, model) if bad else {}
    shown = tuple(
        _case(key, flips[key], after[key], before.get(key), rows.get(key, {})) for key in bad[:most]
    )
    return Cases(model, counts, shown)


def _samples(history: History, model: str) -> dict[str, dict[str, Any]] | None:
    """A model's per-item outcomes by item id, None where they are gone or unreadable."""
    path = _file(history, model)
    try:
        lines = read_samples(path) if path is not None else []
    except (OSError, ValueError):
        return None
    return {str(line.get("id")): line for line in lines if isinstance(line, dict)} or None


def _file(history: History, model: str) -> Path | None:
    """Where a model's outcomes lie; a path that leads out of the run is none."""
    body = history.evaluated(model)
    if body is None or not body.score.samples:
        return None
    root = history.paths.root.resolve()
    path = (root / body.score.samples).resolve()
    return path if path.is_relative_to(root) and path.is_file() else None


def _rows(history: History, model: str) -> dict[str, Mapping[str, Any]]:
    """The validation rows that the evaluation was asked, by id; never those of another split."""
    path = _file(history, model)
    try:
        job = read_job(path.parent / "job.json") if path is not None else None
        if not isinstance(job, EvaluateJob) or job.split != "validation":
            return {}
        return {str(row["id"]): row for row in read_rows(Path(job.rows))}
    except (OSError, ValueError, KeyError, ValidationError):
        return {}


def _value(line: Mapping[str, Any]) -> float:
    value = line.get("value")
    return float(value) if isinstance(value, int | float) else 0.0


def _flip(after: Mapping[str, Any], before: Mapping[str, Any] | None) -> Flip:
    right = _value(after) >= _RIGHT
    if before is None:
        return "right" if right else "wrong"
    was = _value(before) >= _RIGHT
    if right:
        return "still right" if was else "fixed"
    return "broken" if was else "still wrong"


def _case(
    key: str,
    flip: Flip,
    after: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    row: Mapping[str, Any],
) -> Case:
    return Case(
        id=key,
        flip=flip,
        value=_value(after),
        valid=bool(after.get("valid", True)),
        output=_text(after.get("output")),
        base_output=_text(before.get("output")) if before else "",
        prompt=_text(row.get("prompt")),
        answer=_text(row.get("answer")),
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
