"""Task: what is to be learned and how it is measured, read from a folder's `task.toml`.

A task folder holds `task.toml`, `brief.md` (the task in words, for agents) and `prepare.py` (one
pure function from upstream files to rows). The ten tasks, the built-in one and a user's own task
are the same kind of folder.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ft_bench.errors import ConfigError

__all__ = ["Generation", "Metric", "Reference", "SourceFile", "Splits", "TaskSpec", "load_task"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Metric(_Frozen):
    """The primary metric. `floor` is what a model that cannot be loaded gets.

    `gold` and `empty` are what gold and empty answers score on the test split where that is not
    ceiling and floor, because upstream's own labels or parser say so.
    """

    name: str
    direction: Literal["max", "min"] = "max"
    kind: Literal["proportion", "mean", "corpus"]
    floor: float = 0.0
    ceiling: float = 1.0
    gold: float | None = None
    empty: float | None = None


class Reference(_Frozen):
    """Published constants for the normalised gain: the reference model's score and the base's."""

    score: float
    base: float
    model: str
    base_model: str
    source: str


class Splits(_Frozen):
    """How many rows each split has once prepared; `note` says where validation came from."""

    train: int
    validation: int
    test: int
    note: str = ""


class SourceFile(_Frozen):
    """One upstream file.

    Args:
        name: its path below the task's folder in a data directory, without `.gz`.
        sha256: of the uncompressed bytes; "" where no checksum is published.
        url: where it is downloaded from at a pinned revision ("" where it cannot be).
        optional: work that needs it is left out, with a note, where it is absent.
    """

    name: str
    sha256: str
    url: str = ""
    optional: bool = False


class Generation(_Frozen):
    """How outputs are made: greedy, at most so many new tokens."""

    max_new_tokens: int = Field(gt=0)


class TaskSpec(_Frozen):
    """A task. `version` moves whenever a score could change."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: str
    title: str
    language: str = "en"
    licence: str
    scorer: str
    parser: str = "strict"
    metric: Metric
    splits: Splits
    reference: Reference | None = None
    generation: Generation
    max_samples: int = 50_000
    base_model: str = ""
    sources: tuple[SourceFile, ...] = ()
    missing: str = ""
    brief: str = ""
    module: str = ""


def load_task(module: str) -> TaskSpec:
    """Read the task whose folder is the package `module` ("ft_bench.tasks.sst2").

    Raises:
        ConfigError: where `task.toml` is absent or malformed; names the file and the field.
    """
    try:
        folder = resources.files(module)
        text = (folder / "task.toml").read_text(encoding="utf-8")
    except (FileNotFoundError, ModuleNotFoundError) as cause:
        raise ConfigError(f"{module} is no task folder ({cause}); expected task.toml") from cause
    try:
        fields = tomllib.loads(text)
        return TaskSpec(**fields, brief=_brief(folder), module=module)
    except (tomllib.TOMLDecodeError, ValidationError) as cause:
        raise ConfigError(f"{folder / 'task.toml'} is not a valid task: {cause}") from cause


def _brief(folder: Traversable) -> str:
    return (folder / "brief.md").read_text(encoding="utf-8")
