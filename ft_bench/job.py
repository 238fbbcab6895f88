"""Job: one training or evaluation, as a spec that a child reads and an outcome that it writes.

A job is JSON on disk at both ends, so the same spec runs in a warm local worker, under Slurm or
on Ray. Paths in a spec are absolute.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ft_bench.errors import FailureKind
from ft_bench.files import write_json
from ft_bench.plan import Variant

__all__ = [
    "EvaluateJob",
    "Job",
    "JobOutcome",
    "ModelRef",
    "TrainJob",
    "Training",
    "begin",
    "finished",
    "read_job",
    "read_outcome",
    "seconds_seen",
]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelRef(_Record):
    """A model that can be loaded: a folder (or hub id) and, for LoRA, the adapter on top of it."""

    base: str
    adapter: str | None = None


class TrainJob(_Record):
    """Train `init` on `dataset`.

    Args:
        dataset: a folder saved by `datasets.Dataset.save_to_disk` with string columns `prompt` and
            `answer` (others are ignored).
        out: folder for the model, `metrics.jsonl` and the outcome; created if absent.
        token_cache: folder for pre-tokenised datasets, keyed by hash.
        threads: CPU threads; ignored on a GPU.
    """

    kind: Literal["train"] = "train"
    init: ModelRef
    dataset: str
    dataset_hash: str
    variant: Variant
    seed: int
    out: str
    token_cache: str
    trainer: str = "trl"
    threads: int = 1


class EvaluateJob(_Record):
    """Generate an output for every row of `rows` and score it.

    Args:
        rows: a JSONL file with `id`, `prompt`, `answer` and the task's own fields.
        scorer: the name of a scorer plug-in; `parser` one of its parsers.
        out: folder for `samples.jsonl` (one line per row: id, output, value, valid, prediction)
            and the outcome.
    """

    kind: Literal["evaluate"] = "evaluate"
    model: ModelRef
    rows: str
    split: Literal["validation", "test"]
    scorer: str
    parser: str
    max_new_tokens: int
    out: str
    batch_size: int = 64
    generator: str = "transformers"
    threads: int = 1


Job = Annotated[TrainJob | EvaluateJob, Field(discriminator="kind")]
_JOB: TypeAdapter[TrainJob | EvaluateJob] = TypeAdapter(Job)
JOB_FILE, OUTCOME_FILE = "job.json", "outcome.json"


class Training(_Record):
    """What a finished training reports. Losses are means per supervised token, in nats."""

    model: ModelRef
    steps: int
    samples: int
    tokens: int
    first_loss: float
    last_loss: float
    truncated: float = 0.0


class JobOutcome(_Record):
    """How a job ended. `failure` is None when it ended well; seconds are the device's, not CPU's.

    `profile` of an evaluation names engine, dtype, batch size, template hash and decoding.
    """

    failure: FailureKind | None = None
    cause: str = ""
    device_seconds: float = 0.0
    training: Training | None = None
    profile: str = ""
    seconds: dict[str, float] = Field(default_factory=dict)


def begin(job: TrainJob | EvaluateJob) -> Path:
    """Write `<out>/job.json` and forget an earlier outcome; returns the path of the job's file."""
    out = Path(job.out)
    (out / OUTCOME_FILE).unlink(missing_ok=True)
    write_json(out / JOB_FILE, job)
    return out / JOB_FILE


def read_job(path: Path) -> Job:
    """The job in a file.

    Raises:
        pydantic.ValidationError: where the file is not a job.
    """
    return _JOB.validate_json(path.read_bytes())


def read_outcome(out: Path) -> JobOutcome | None:
    """The outcome in a job's folder, None where there is none that can be read."""
    try:
        return JobOutcome.model_validate_json((out / OUTCOME_FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def finished(job: TrainJob | EvaluateJob) -> JobOutcome | None:
    """The outcome of exactly this job if it had ended before, so that nothing is done twice."""
    try:
        known = read_job(Path(job.out) / JOB_FILE)
    except (FileNotFoundError, ValidationError):
        return None
    return read_outcome(Path(job.out)) if known == job else None


def seconds_seen(out: Path, since: float) -> float:
    """Seconds from `since` (Unix time) to the last sign of life in a job's folder."""
    outcome = read_outcome(out)
    if outcome is not None:
        return outcome.device_seconds
    times = [path.stat().st_mtime for path in out.rglob("*") if path.is_file()]
    return max(0.0, max(times, default=since) - since)
