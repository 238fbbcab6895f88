"""Spec: what the grader is asked and what it answers; holds no row of the test split."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from ft_bench.job import ModelRef
from ft_bench.record import Gain, Lineage, Overlap, Score

__all__ = ["Grade", "GradeSpec"]


class GradeSpec(BaseModel):
    """What to grade. `tuned` is None where no valid model came out: the base stands alone.

    `root` is the run directory, `out` a folder in it; `dataset` the selected model's training set.
    `foreign` says that the model was trained outside the Lab.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    cache: str
    private: str
    root: str
    out: str
    base: ModelRef
    tuned: ModelRef | None
    dataset: str | None
    foreign: bool = False
    batch_size: int
    generator: str
    seed: int


class Grade(BaseModel):
    """What the grader found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    test: Score
    base: Score
    gain: Gain
    contamination: tuple[Overlap, ...]
    lineage: Lineage | None = None
    device_seconds: float
