"""Labels: the closed lists that LawBench's choices and classifications are read with."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

__all__ = ["labels_of"]


@cache
def _lists() -> dict[str, tuple[str, ...]]:
    text = (resources.files(__package__) / "labels.json").read_text(encoding="utf-8")
    return {subtask: tuple(labels) for subtask, labels in json.loads(text).items()}


@cache
def labels_of(subtask: str) -> tuple[str, ...]:
    """The labels of a sub-task, in upstream's order; the letters where it is a choice."""
    return _lists()[subtask]
