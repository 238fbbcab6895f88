"""Cluster: a fake one, for tests of agents and of the harness. It runs no model.

A "model" is a file that holds how likely it answers an item rightly; what a training makes of it
follows from the variant, the rows and the seed alone. Jobs are begun, written and read as on any
cluster, so the harness cannot tell the difference.
"""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from math import exp, log10
from pathlib import Path
from typing import Literal

from ft_bench import registry
from ft_bench.digest import derive_seed
from ft_bench.errors import FailureKind
from ft_bench.files import write_json
from ft_bench.job import (
    OUTCOME_FILE,
    EvaluateJob,
    Job,
    JobOutcome,
    ModelRef,
    Training,
    TrainJob,
    begin,
)
from ft_bench.outcome import write_samples
from ft_bench.plan import Variant
from ft_bench.prepare import read_rows
from ft_bench.protocols import Row, Scorer

__all__ = ["BASE_SKILL", "FakeCluster", "Killed", "Skill", "run_job", "taught"]

Skill = Callable[[Variant, Sequence[Row], int], float]
"""From a variant, the rows of its dataset and its seed to the chance of a right answer."""

BASE_SKILL = 0.5
_BEST_LR = 5e-4
_MODEL_FILE = "model.json"


class Killed(BaseException):
    """The end of a process in the middle of its work; only what is on disk is left."""


def taught(variant: Variant, rows: Sequence[Row], seed: int) -> float:
    """The skill that a training gives by default: best near a rate of 5e-4 and on clean rows.

    More epochs help a little, contradicted and repeated rows harm, and a seed is worth up to
    one hundredth either way.
    """
    answers: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        answers[str(row["prompt"])].add(str(row["answer"]))
    contradicted = sum(len(answers[str(row["prompt"])]) > 1 for row in rows) / max(1, len(rows))
    repeated = 1 - len(answers) / max(1, len(rows))
    rate = exp(-2.0 * (log10(variant.lr) - log10(_BEST_LR)) ** 2)
    pure = max(0.0, 1.0 - 3.0 * contradicted - repeated)
    luck = derive_seed(seed, "luck") / 2**31 - 0.5
    skill = BASE_SKILL + 0.4 * rate * pure + 0.01 * min(variant.epochs, 4.0) + 0.02 * luck
    return min(0.97, max(0.05, skill))


def run_job(job: Job, skill: Skill = taught, seconds: float = 2.0) -> JobOutcome:
    """Do a job at once and write its outcome; also stands in for the worker in the grader.

    Args:
        job: begun already.
        skill: of a trained model.
        seconds: the device-seconds that it says it took.
    """
    if isinstance(job, TrainJob):
        outcome = JobOutcome(training=_train(job, skill), device_seconds=seconds)
    else:
        _evaluate(job)
        outcome = JobOutcome(profile="fake", device_seconds=seconds)
    write_json(Path(job.out) / OUTCOME_FILE, outcome)
    return outcome


def _train(job: TrainJob, skill: Skill) -> Training:
    import datasets

    rows = datasets.load_from_disk(job.dataset).to_list()
    level = skill(job.variant, rows, job.seed)
    model = Path(job.out) / "model"
    write_json(model / _MODEL_FILE, {"skill": level, "seed": job.seed})
    samples = max(1, round(len(rows) * job.variant.epochs))
    return Training(
        model=ModelRef(base=str(model)),
        steps=max(1, samples // job.variant.batch_size),
        samples=samples,
        tokens=samples * 10,
        first_loss=2.0,
        last_loss=round(2.0 * (1.0 - level), 6),
    )


def _evaluate(job: EvaluateJob) -> None:
    rows: list[Row] = list(read_rows(Path(job.rows)))
    scorer: Scorer = registry.scorer(job.scorer)
    outputs = _outputs(job.model, rows)
    items = scorer.score_items(rows, outputs, parser=job.parser)
    write_samples(Path(job.out) / "samples.jsonl", rows, outputs, items)


def _outputs(model: ModelRef, rows: Sequence[Row]) -> list[str]:
    """Right answers to easy items, others or none to the rest; the same at every call."""
    path = Path(model.base) / _MODEL_FILE
    held = json.loads(path.read_text("utf-8")) if path.exists() else {}
    level, seed = held.get("skill", BASE_SKILL), held.get("seed", 0)
    answers = sorted({str(row["answer"]) for row in rows})
    return [_output(row, answers, level, seed) for row in rows]


def _output(row: Row, answers: Sequence[str], level: float, seed: int) -> str:
    difficulty = derive_seed("item", row["id"]) / 2**31
    noise = derive_seed("item", row["id"], seed) / 2**31
    if 0.8 * difficulty + 0.2 * noise < level:
        return str(row["answer"])
    if noise < 0.2:
        return ""
    place = answers.index(str(row["answer"]))
    return answers[(place + 1) % len(answers)]


class FakeCluster:
    """A Cluster whose jobs end at once, and which counts them.

    Args:
        slots: as of any cluster.
        skill: what a training is worth.
        fails: how a job fails, None where it does not.
        seconds: the device-seconds that a job takes; over its limit it ends as TIMEOUT.
        midway: called in the middle of each job, when files are there and no outcome is: to raise
            Killed, to wait for another thread, to look at the disk.

    Attributes:
        trainings: how often each training was begun, by its folder below the run.
        evaluations: the same of evaluations on validation.
    """

    hardware = "fake"

    def __init__(
        self,
        *,
        slots: int = 1,
        skill: Skill = taught,
        fails: Callable[[Job], FailureKind | None] = lambda _: None,
        seconds: Callable[[Job], float] = lambda _: 2.0,
        midway: Callable[[Job], None] = lambda _: None,
    ) -> None:
        self.slots, self._skill, self._fails = slots, skill, fails
        self._seconds, self._midway = seconds, midway
        self.trainings: Counter[str] = Counter()
        self.evaluations: Counter[str] = Counter()
        self.closed = False
        self._lock = threading.Lock()

    def run(self, job: Job, limit_seconds: float) -> JobOutcome:
        """Run one job; never raises for a job's own failure."""
        if self.closed:
            raise RuntimeError("the cluster is closed; make a new FakeCluster")
        begin(job)
        self._count(job)
        out = Path(job.out)
        (out / "log").write_text("begun\n", encoding="utf-8")
        self._midway(job)
        seconds = self._seconds(job)
        if seconds > limit_seconds:
            cause = f"still running after {limit_seconds:g} s"
            return JobOutcome(failure="TIMEOUT", cause=cause, device_seconds=limit_seconds)
        failure = self._fails(job)
        if failure is None:
            return run_job(job, self._skill, seconds)
        cause = f"the fake was told that {job.kind} fails"
        outcome = JobOutcome(failure=failure, cause=cause, device_seconds=seconds)
        write_json(out / OUTCOME_FILE, outcome)
        return outcome

    def _count(self, job: Job) -> None:
        kind: Literal["train", "evaluate"] = job.kind
        counts = self.trainings if kind == "train" else self.evaluations
        with self._lock:
            counts[folder_of(job)] += 1

    def close(self) -> None:
        """Nothing is left to stop; further jobs are refused."""
        self.closed = True


def folder_of(job: Job) -> str:
    """A job's folder as it stands below its run: "003/v1", "003/v1/validation", "base"."""
    parts = Path(job.out).parts
    return "/".join(parts[parts.index("nodes") + 1 :]) if "nodes" in parts else parts[-1]
