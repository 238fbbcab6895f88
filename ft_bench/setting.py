"""Setting: what is fixed for a run before any work, and what follows from it: brief and jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ft_bench.budget import Budget
from ft_bench.digest import derive_seed
from ft_bench.job import EvaluateJob, ModelRef, TrainJob
from ft_bench.plan import Variant
from ft_bench.prepare import Prepared
from ft_bench.protocols import Brief, Scorer
from ft_bench.record import Built
from ft_bench.store import RunPaths

__all__ = ["Setting", "brief_of", "evaluate_job", "train_job"]


@dataclass(frozen=True)
class Setting:
    """What is fixed before any work: the task, its data, the base model, seed and budget."""

    data: Prepared
    scorer: Scorer
    base: ModelRef
    base_name: str
    base_parameters: int
    seed: int
    budget: Budget
    job_seconds: float = 3600.0
    batch_size: int = 64
    trainer: str = "trl"
    generator: str = "transformers"
    insights: tuple[Mapping[str, Any], ...] = ()


def brief_of(setting: Setting, workspace: Path, slots: int) -> Brief:
    """What an agent is told of it: the task, its data and the limits."""
    spec, budget = setting.data.spec, setting.budget
    return Brief(
        task=spec.id,
        text=spec.brief,
        metric=spec.metric,
        train=setting.data.train,
        validation=setting.data.validation,
        rows={split: setting.data.rows[split] for split in ("train", "validation")},
        base_model=setting.base_name,
        base_parameters=setting.base_parameters,
        workspace=workspace,
        seed=setting.seed,
        slots=slots,
        max_samples=min(spec.max_samples, budget.samples),
        max_variants=budget.variants,
        iterations=budget.iterations,
        insights=setting.insights,
    )


def train_job(
    setting: Setting,
    paths: RunPaths,
    place: tuple[int, int, int],
    scheme: Variant,
    dataset: Built,
) -> TrainJob:
    """The training of a variant; its seed follows from the run's and from `place`.

    Args:
        setting: of the run.
        paths: of the run.
        place: node, variant and replica.
        scheme: how to train; `samples` are turned into epochs of the dataset.
        dataset: what to train on.
    """
    if scheme.samples is not None:
        epochs = min(1000.0, scheme.samples / dataset.rows)
        scheme = scheme.model_copy(update={"epochs": epochs, "samples": None})
    return TrainJob(
        init=setting.base,
        dataset=str(paths.root / dataset.path),
        dataset_hash=dataset.dataset,
        variant=scheme,
        seed=derive_seed(setting.seed, *place, "train"),
        out=str(paths.variant(*place)),
        token_cache=str(paths.tokens),
        trainer=setting.trainer,
    )


def evaluate_job(setting: Setting, model: ModelRef, out: Path) -> EvaluateJob:
    """The scoring of a model on validation, with its outcome in the folder `out`."""
    spec = setting.data.spec
    return EvaluateJob(
        model=model,
        rows=str(setting.data.validation),
        split="validation",
        scorer=spec.scorer,
        parser=spec.parser,
        max_new_tokens=spec.generation.max_new_tokens,
        out=str(out),
        batch_size=setting.batch_size,
        generator=setting.generator,
    )
