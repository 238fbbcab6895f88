"""Protocols: what a plug-in must be. Structural types; nothing here has behaviour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from ft_bench.errors import FailureKind
from ft_bench.plan import DataRecipe, ExperimentPlan
from ft_bench.record import Built, Diagnosis, Evaluated, Trained, Usage
from ft_bench.steering import Steering
from ft_bench.task import Metric
from ft_bench.tree import Tree

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ft_bench.job import EvaluateJob, Job, JobOutcome, ModelRef, Training, TrainJob

__all__ = [
    "LLM",
    "Agent",
    "Answer",
    "Approve",
    "Brief",
    "Cell",
    "Cluster",
    "Confined",
    "DataBuilder",
    "Ended",
    "Generator",
    "ItemScore",
    "Lab",
    "Limits",
    "Reply",
    "Row",
    "RowReader",
    "Sandbox",
    "Scorer",
    "TaskData",
    "ToolCall",
    "Trainer",
]

Row = Mapping[str, Any]
"""One item of a task: `id`, `prompt` (what the model is asked), `answer` (gold text), and more."""


_NO_PARTS: Mapping[str, float] = {}


class ItemScore(NamedTuple):
    """What one output earned.

    `value` is the item's own contribution as a person would read it (1 or 0, an F-measure);
    `valid` is False where the parser found no answer; `prediction` is what it found, as JSON data.
    A tuple, because there is one for every output and a data class takes four times as long.
    """

    id: str
    value: float
    valid: bool
    prediction: Any = None
    components: Mapping[str, float] = _NO_PARTS


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
    """The rows of a task. Every row has the strings `id`, `prompt` and `answer`.

    `spare` are upstream's rows outside the three splits that can be scored all the same; they are
    kept with the test and shown to nobody.
    """

    train: list[dict[str, Any]]
    validation: list[dict[str, Any]]
    test: list[dict[str, Any]]
    notes: tuple[str, ...] = ()
    spare: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Brief:
    """What an agent is told: the task in words, its data, its base model and its limits.

    `train` and `validation` are JSONL files; the test split is named nowhere. `base_parameters`
    is how many weights the base model has, 0 where that cannot be told without loading it.
    `insights` are the rules of earlier runs on other tasks, where a person has asked for them.
    """

    task: str
    text: str
    metric: Metric
    train: Path
    validation: Path
    rows: Mapping[str, int]
    base_model: str
    base_parameters: int
    workspace: Path
    seed: int
    slots: int
    max_samples: int
    max_variants: int
    iterations: int
    insights: tuple[Mapping[str, Any], ...] = ()


class Lab(Protocol):
    """The metered bench: all that an agent may do. Every call is journalled and idempotent.

    Calls may come from several threads. Work that was already done for this run is answered from
    the journal, so an agent that is a function of what the Lab shows resumes by being run again.
    """

    @property
    def brief(self) -> Brief:
        """The task, its data and the limits."""
        ...

    @property
    def tree(self) -> Tree:
        """All nodes so far, with plans, scores and diagnoses."""
        ...

    def remaining(self) -> Usage:
        """What is left of each limit; infinite where there is none."""
        ...

    def propose(self, parent: int | None, plan: ExperimentPlan) -> int:
        """Open a node. Costs one iteration, but for the root.

        Raises:
            PlanInvalid: where the plan breaks a rule of the contract.
            BudgetExhausted: where no iteration is left.
        """
        ...

    def build(self, node: int, recipe: DataRecipe) -> Built:
        """Make a dataset: rows, hash, lineage and overlap with validation.

        Raises:
            JobFailed: DATA_SOURCE, DATA_EMPTY, DATA_SCHEMA or PLAN_INVALID; recorded.
        """
        ...

    def train(self, node: int, variant: int, dataset: str, replica: int = 0) -> Trained:
        """Train one variant of a node's plan on a dataset made by `build`.

        The dataset is made by the variant's own recipe, or from files that the agent wrote.

        Raises:
            JobFailed: with the kind of failure; recorded.
            BudgetExhausted: before anything is started.
        """
        ...

    def evaluate(self, model: str) -> Evaluated:
        """Score a trained model (or "base") on validation.

        Raises:
            JobFailed, BudgetExhausted: as for `train`.
        """
        ...

    def items(self, model: str) -> list[dict[str, Any]]:
        """Per-item outcomes of an evaluated model on validation, in the order of the split."""
        ...

    def probability_better(self, model: str, other: str) -> float:
        """P(model beats other on validation), by the paired item bootstrap."""
        ...

    def steering(self) -> Steering:
        """Take in what a person has told the run since the last decision, and show it.

        To be asked before a node is chosen; the same after a restart.
        """
        ...

    def conclude(self, node: int, diagnosis: Diagnosis) -> None:
        """Close a node."""
        ...

    def give_up(self, node: int, cause: str, kind: FailureKind = "EXECUTOR_GAVE_UP") -> None:
        """Record why nothing of a node can be carried out: it fails with that."""
        ...

    def submit(self, model: str, reason: str) -> None:
        """Name the model that goes to the sealed test; without it the best on validation does."""
        ...

    def agree(self, key: str, make: Callable[[], Any]) -> Any:
        """A decision as JSON data, made once and the same after every restart."""
        ...

    def keep(self, node: int, name: str, text: str) -> None:
        """File a text in a node's folder, for people: what was known when it was planned."""
        ...

    def call(
        self, key: str, reserve: Usage, make: Callable[[], tuple[Any, Usage]], purpose: str = ""
    ) -> Any:
        """Outside work done once: a request to a language model, a look into a library.

        `reserve` is the most that it can use, in tokens and USD. `make` does the work and returns
        its answer as JSON data and what it used; both are journalled in one event, and after a
        restart the answer comes from the journal. Work that raised, or whose process died, is
        charged in full, unless it raised a ModelFailed that says nothing was charged.

        Raises:
            BudgetExhausted: before the work is begun.
        """
        ...


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that a language model asks for; `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a language model said.

    `finish` is "stop", "calls", "length" (cut off at the limit of tokens, or the messages were
    longer than the model reads) or "refused" (by the model or by a content filter). `usage` holds
    tokens and USD; `model` is the name that the vendor gives for what answered.
    """

    text: str
    calls: tuple[ToolCall, ...]
    finish: str
    usage: Usage
    model: str


class LLM(Protocol):
    """A language model behind an agent. Messages and tools are in OpenAI's chat format.

    `priced` is whether USD can be told; where they cannot, they are counted as 0.
    """

    name: str

    @property
    def priced(self) -> bool:
        """Whether the vendor's prices are known."""
        ...

    def worst(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        max_tokens: int,
    ) -> Usage:
        """The most tokens and USD that one call can use; never less than it will."""
        ...

    def complete(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        max_tokens: int = 4096,
    ) -> Reply:
        """One answer. Tries again by itself only where nothing was charged.

        Raises:
            ModelFailed: no answer came; says why, and whether it may be charged for.
        """
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said about a plan: yes, or no and why; and a note for the rest of the run."""

    yes: bool
    reason: str = ""
    note: str = ""


Approve = Callable[[Tree, int, ExperimentPlan], Answer]
"""Asks a person about a plan below a parent, of a tree."""


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


@dataclass(frozen=True, slots=True)
class Limits:
    """What one confined program may use, all of its processes together.

    `seconds` is wall-clock time. `processes` counts threads too, as the kernel does. `file_bytes`
    is the longest single file, `disk_bytes` everything in the workspace. `memory_bytes` counts
    what is not shared with files on disk.
    """

    seconds: float = 3600.0
    memory_bytes: int = 8 << 30
    processes: int = 512
    file_bytes: int = 4 << 30
    disk_bytes: int = 8 << 30


@dataclass(frozen=True, slots=True)
class Cell:
    """The room of one confined program.

    `workspace` is its working directory, its home and the only place where it may write. `visible`
    is what it may read besides the system and Python; `hidden` are folders that stay empty for it
    even where they lie within something visible. `decoys` are files and folders, by where they are
    to be seen, that stand in for what is not there; what is written to them counts for nothing, and
    a sandbox without mounts of its own leaves them out. `env` is all of its environment but for
    PATH, HOME and the like. `pinned` is the device and inode of a workspace that others could
    exchange for a link meanwhile: where it is another folder, nothing is run and the exit status is
    125.
    """

    workspace: Path
    visible: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    decoys: Mapping[Path, Path] = field(default_factory=dict)
    network: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    pinned: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a confined program ended.

    `returncode` is negative for a signal, as in `subprocess`. `reason` names what ended it: "exit"
    and "signal" are its own doing, "killed" is the harness's, the rest are limits. `strays` counts
    the processes that it had left behind in a session of their own; they are dead too.
    """

    returncode: int
    reason: Literal["exit", "signal", "killed", "time", "memory", "disk", "processes"]
    strays: int = 0


class Confined(Protocol):
    """A started program. Whatever happens to the harness, its processes do not outlive it."""

    pid: int

    def wait(self, timeout: float | None = None) -> Ended:
        """Wait until the program and everything it started is dead.

        Raises:
            TimeoutError: where that takes longer than `timeout` seconds; it goes on running.
            IntegrityError: where a process could not be ended.
        """
        ...

    def kill(self) -> None:
        """End the program and everything it started; returns once all of it is dead.

        Raises:
            IntegrityError: where a process could not be ended.
        """
        ...


class Sandbox(Protocol):
    """A kind of isolation: "none", "process" or "bwrap"."""

    name: str

    def check(self) -> None:
        """Find out before any work whether this machine can do it.

        Raises:
            PrerequisiteError: where it cannot; names the remedy.
        """
        ...

    def start(
        self,
        command: Sequence[str],
        cell: Cell,
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> Confined:
        """Start a program in a cell. The streams are file descriptors; None is /dev/null.

        A command that does not exist ends with exit status 127, one that may not be run with 126.

        Raises:
            PrerequisiteError: where this machine cannot do it; names the remedy.
        """
        ...
