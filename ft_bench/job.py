"""Job: one training or evaluation, as a spec that a child reads and an outcome that it writes.

A job is JSON on disk at both ends, so the same spec runs in a warm local worker, under Slurm or
on Ray. Paths in a spec are absolute.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ft_bench.errors import FailureKind
from ft_bench.plan import Variant

__all__ = ["EvaluateJob", "Job", "JobOutcome", "ModelRef", "TrainJob", "Training"]


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
