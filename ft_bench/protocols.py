"""Protocols: what a plug-in must be. Structural types; nothing here has behaviour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ft_bench.job import EvaluateJob, Job, JobOutcome, ModelRef, Training, TrainJob
    from ft_bench.lab import Lab

__all__ = [
    "Agent",
    "Cluster",
    "DataBuilder",
    "Generator",
    "ItemScore",
    "Row",
    "RowReader",
    "Scorer",
    "TaskData",
    "Trainer",
]

Row = Mapping[str, Any]
"""One item of a task: `id`, `prompt` (what the model is asked), `answer` (gold text), and more."""


@dataclass(frozen=True, slots=True)
class ItemScore:
    """What one output earned.

    `value` is the item's own contribution as a person would read it (1 or 0, an F-measure);
    `valid` is False where the parser found no answer; `prediction` is what it found, as JSON data.
    """

    id: str
    value: float
    valid: bool
    prediction: Any = None
    components: Mapping[str, float] = field(default_factory=dict)


class Scorer(Protocol):
    """A metric as a function of sums.

    `statistics` gives one row of numbers per item; `value` turns the sum of any set of such rows
    into the metric. So a mean has (value, 1), Macro-F1 has (TP, FP, FN) per label, batches add up,
    and a bootstrap is one matrix product.
    """

    name: str
    version: str
    parsers: tuple[str, ...]

    def score_items(
        self, rows: Sequence[Row], outputs: Sequence[str], *, parser: str = "strict"
    ) -> list[ItemScore]:
        """Score each output against its row. Never raises for any output text."""
        ...

    def statistics(self, rows: Sequence[Row], items: Sequence[ItemScore]) -> NDArray[np.float64]:
        """Additive statistics, shape (items, k)."""
        ...

    def value(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The metric of summed statistics: shape (..., k) to shape (...)."""
        ...

    def components(self, sums: NDArray[np.float64]) -> dict[str, float]:
        """Named parts of the metric for one vector of sums, shape (k,)."""
        ...


class RowReader(Protocol):
    """What a task's `prepare` reads its upstream files through; each is verified before use."""

    def path(self, name: str) -> Path:
        """A verified, uncompressed local copy of the source file called `name`."""
        ...

    def has(self, name: str) -> bool:
        """Whether an optional source file is there."""
        ...


@dataclass(frozen=True, slots=True)
class TaskData:
    """The rows of a task. Every row has the strings `id`, `prompt` and `answer`."""

    train: list[dict[str, Any]]
    validation: list[dict[str, Any]]
    test: list[dict[str, Any]]
    notes: tuple[str, ...] = ()


class Agent(Protocol):
    """Whoever competes. Gets a Lab and nothing else."""

    name: str

    def run(self, lab: Lab) -> None:
        """Work until done or until the Lab refuses with BudgetExhausted."""
        ...


class DataBuilder(Protocol):
    """Runs a data recipe: plain data in, an Arrow-backed dataset with its lineage out."""

    def __call__(
        self, recipe: Mapping[str, Any], sources: Mapping[str, Any], **options: Any
    ) -> Any:
        """Returns an object with `dataset` and `lineage`."""
        ...


class Trainer(Protocol):
    """Trains inside a child process. Raises JobFailed with the kind of failure."""

    def __call__(self, job: TrainJob) -> Training:
        """Train, save the model under `job.out`, and report."""
        ...


class Generator(Protocol):
    """Turns prompts into outputs inside a child process, greedily."""

    def __call__(
        self, model: ModelRef, prompts: Sequence[str], job: EvaluateJob
    ) -> tuple[list[str], str]:
        """Outputs in the order of `prompts`, and the evaluation profile."""
        ...


class Cluster(Protocol):
    """Where jobs run. `run` blocks, is thread-safe, and never raises for a job's own failure."""

    slots: int
    hardware: str

    def run(self, job: Job, limit_seconds: float) -> JobOutcome:
        """Run one job; kill its whole process group at the limit."""
        ...

    def close(self) -> None:
        """Stop every child and verify that it is dead."""
        ...
