"""Worker: what runs one job inside a child process and writes down how it ended.

`python -m ft_bench.backends.worker JOB.json` runs a job in a fresh process; the local cluster
calls `run_job` in a forked one. Either way the truth is `<out>/outcome.json`; the files of a job
are written and read by `ft_bench.job` (begin, read_job, read_outcome, finished).
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from ft_bench.errors import FailureKind, FtBenchError, JobFailed, UnknownName
from ft_bench.files import write_json
from ft_bench.job import OUTCOME_FILE, EvaluateJob, Job, JobOutcome, TrainJob, read_job
from ft_bench.outcome import write_samples
from ft_bench.prepare import read_rows
from ft_bench.protocols import Generator, Scorer, Trainer

__all__ = ["main", "run_job"]

_logger = logging.getLogger(__name__)
_SAMPLES_FILE = "samples.jsonl"


def run_job(job: Job) -> JobOutcome:
    """Run a job in this process and write its outcome to `<out>/outcome.json`.

    Whatever the job raises becomes a failure with its kind; the traceback goes to the log.
    `device_seconds` is this process's own measure, from here to the end.
    """
    start = time.monotonic()
    spent: dict[str, float] = {}
    try:
        outcome = _train(job, spent) if isinstance(job, TrainJob) else _evaluate(job, spent)
    except Exception as error:  # noqa: BLE001  the boundary between a job and the harness
        traceback.print_exc()
        outcome = _failure(job, error)
    spent["total"] = time.monotonic() - start
    outcome = outcome.model_copy(update={"device_seconds": spent["total"], "seconds": spent})
    write_json(Path(job.out) / OUTCOME_FILE, outcome)
    return outcome


def _train(job: TrainJob, spent: dict[str, float]) -> JobOutcome:
    start = time.monotonic()
    trainer: Trainer = _plugin("ft_bench.backends", f"train.{job.trainer}")
    spent["import"] = time.monotonic() - start
    training = trainer(job)
    spent["train"] = time.monotonic() - start - spent["import"]
    return JobOutcome(training=training)


def _evaluate(job: EvaluateJob, spent: dict[str, float]) -> JobOutcome:
    start = time.monotonic()
    generator: Generator = _plugin("ft_bench.backends", f"generate.{job.generator}")
    scorer: Scorer = _plugin("ft_bench.scorers", job.scorer)
    spent["import"] = time.monotonic() - start
    rows = read_rows(Path(job.rows))
    outputs, profile = generator(job.model, [row["prompt"] for row in rows], job)
    spent["generate"] = time.monotonic() - start - spent["import"]
    items = scorer.score_items(rows, outputs, parser=job.parser)
    write_samples(Path(job.out) / _SAMPLES_FILE, rows, outputs, items)
    spent["score"] = time.monotonic() - start - spent["import"] - spent["generate"]
    return JobOutcome(profile=profile)


def _plugin(group: str, name: str) -> Any:
    known = {point.name: point for point in entry_points(group=group)}
    if name not in known:
        raise UnknownName(group.removeprefix("ft_bench."), name, known)
    return known[name].load()


def _failure(job: Job, error: Exception) -> JobOutcome:
    text = " ".join(str(error).split())[:500]
    if isinstance(error, JobFailed):
        return JobOutcome(failure=error.kind, cause=error.cause)
    if isinstance(error, MemoryError) or "out of memory" in text.lower():
        return JobOutcome(failure="OOM", cause=text or "the host has no memory left")
    kind: FailureKind = "INFRA" if isinstance(job, TrainJob) else "EVAL_ERROR"
    if isinstance(error, FtBenchError):
        return JobOutcome(failure="INFRA", cause=text)
    return JobOutcome(failure=kind, cause=f"{type(error).__name__}: {text}")


def main(arguments: list[str]) -> int:
    """Run the job in the one file named; 0 where it ended well, 1 where it failed, 2 for usage."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m ft_bench.backends.worker JOB.json\n")
        return 2
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    job = read_job(Path(arguments[0]))
    Path(job.out).mkdir(parents=True, exist_ok=True)
    outcome = run_job(job)
    _logger.info("%s: %s", job.kind, outcome.failure or "done")
    return 0 if outcome.failure is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
