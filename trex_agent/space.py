"""Space: the moves that a plan may make from a parent's configuration, as typed data.

A move changes one field: an operation of the recipe, or one number of the scheme.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2, log10

from ft_bench.digest import canonical_json
from ft_bench.plan import DataRecipe, Lora, Operation, Strategy, Variant
from ft_bench.protocols import Brief
from trex_agent.survey import Survey

__all__ = [
    "Move",
    "apply_moves",
    "feature_of",
    "features",
    "moves",
    "root_variants",
    "start_recipe",
]

_ORDER = (
    "filter_valid_smiles",
    "normalise_list",
    "select_by_filter",
    "filter_by_word_count",
    "drop_conflicts",
    "deduplicate_by_text_hash",
    "decontaminate",
    "balance_classes",
    "augment_smiles",
    "select_by_random",
)
_SMALL = 20_000_000
_START_ROWS = 10_000
_FEW_ROWS = 3_000


@dataclass(frozen=True, slots=True)
class Move:
    """One change: an operation added or taken out, or fields of the scheme replaced.

    `name` is the feature that a surrogate and the insights speak of; `promise` is what the survey
    expects of it, in units of reward.
    """

    name: str
    strategy: Strategy
    promise: float = 0.0
    add: Operation | None = None
    drop: str | None = None
    max_samples: int | None = None
    scheme: tuple[tuple[str, float | int | str], ...] = ()

    @property
    def slot(self) -> str:
        """What the move decides: two moves of one slot cannot be made together."""
        if self.scheme:
            return self.scheme[0][0]
        if self.max_samples is not None:
            return "max_samples"
        if self.add is not None and self.add.op != "select_by_filter":
            return self.add.op
        return self.name


def start_recipe(brief: Brief) -> DataRecipe:
    """The raw pool, capped at a size that a first look can afford."""
    return DataRecipe(max_samples=min(brief.max_samples, _START_ROWS))


def root_variants(brief: Brief, count: int) -> list[Variant]:
    """The small grid of the baseline: learning rates around what fits a model of this size.

    A model of under 20 million parameters is trained whole at rates near 3e-3 and sees the pool
    twice; a larger one gets a LoRA adapter at rates near 2e-4 (Hu et al. 2021 use 2e-4 for GPT-3)
    and sees it once. A small pool is seen twice as often and in smaller batches, as a model of
    this kind needs a few hundred optimiser steps to learn anything. Work is set in rows seen, not
    epochs: a recipe that drops half of the rows would else also halve the training.
    """
    small = 0 < brief.base_parameters < _SMALL
    rows = min(brief.rows["train"], start_recipe(brief).max_samples or brief.max_samples)
    few = small and brief.rows["train"] < _FEW_ROWS
    centre = 3e-3 if small else 2e-4
    steps = (1.0, 0.3, 3.0, 0.1, 0.03)[:count]
    return [
        Variant(
            lr=centre * step,
            samples=max(1, (4 if few else 2 if small else 1) * rows),
            batch_size=32 if small and not few else 16,
            max_length=1024,
            lora=None if small else Lora(),
        )
        for step in steps
    ]


def moves(survey: Survey, recipe: DataRecipe, scheme: Variant, brief: Brief) -> list[Move]:
    """Every single change that is open from a configuration."""
    found = [*_remedies(survey), *_synthetic(survey), *_sizes(recipe, brief), *_scheme(scheme)]
    fresh = [move for move in found if move.add is None or move.add not in recipe.steps]
    return [*fresh, *_drops(recipe)]


def _remedies(survey: Survey) -> list[Move]:
    return [
        Move(
            name=feature_of(remedy),
            strategy="refine_data_pipeline",
            promise=issue.share * issue.weight / (place + 1),
            add=remedy,
        )
        for issue in survey.issues
        for place, remedy in enumerate(issue.remedies)
    ]


def _synthetic(survey: Survey) -> list[Move]:
    found = []
    if survey.molecules:
        found += [
            Operation(op="augment_smiles", params={"column": "prompt", "copies": copies})
            for copies in (1, 2)
        ]
    if survey.balance_column:
        params = {"column": survey.balance_column, "mode": "up"}
        found.append(Operation(op="balance_classes", params=params))
    return [Move(feature_of(op), "construct_synthetic_data", 0.02, add=op) for op in found]


def _sizes(recipe: DataRecipe, brief: Brief) -> list[Move]:
    now = recipe.max_samples or brief.max_samples
    sizes = {min(brief.max_samples, max(500, int(now * factor))) for factor in (0.5, 2.0)} - {now}
    return [
        Move(f"max_samples={size}", "refine_data_pipeline", max_samples=size)
        for size in sorted(sizes)
        if size <= 2 * brief.rows["train"]
    ]


def _drops(recipe: DataRecipe) -> list[Move]:
    return [
        Move(f"without {feature_of(step)}", "refine_data_pipeline", -0.02, drop=feature_of(step))
        for step in recipe.steps
    ]


def _scheme(scheme: Variant) -> list[Move]:
    options: dict[str, Sequence[float | int | str]] = {
        "lr": tuple(float(f"{scheme.lr * f:.3g}") for f in (0.3, 0.55, 1.8, 3.0)),
        "samples": tuple(int((scheme.samples or 1) * f) for f in (0.5, 1.5, 2.0, 3.0)),
        "batch_size": (16, 32, 64, 128),
        "schedule": ("cosine", "linear", "constant"),
        "warmup": (0.0, 0.05, 0.1),
        "weight_decay": (0.0, 0.01, 0.1),
    }
    return [
        Move(f"{name}={value}", "adjust_training_scheme", scheme=((name, value),))
        for name, values in options.items()
        for value in values
        if value != getattr(scheme, name) and not (name == "lr" and float(value) > 1)
    ]


def feature_of(operation: Operation) -> str:
    """A short name of an operation with what tells it apart from its like."""
    shown = {
        "select_by_filter": "where",
        "filter_by_word_count": "least",
        "drop_conflicts": "keep",
        "deduplicate_by_text_hash": "key",
        "augment_smiles": "copies",
    }.get(operation.op)
    value = operation.params.get(shown) if shown else None
    text = str(value)
    if len(text) > 40:
        text = "format" if "REGEXP" in text else text[:40]
    return operation.op + (f"({text})" if value is not None else "")


def apply_moves(
    recipe: DataRecipe, scheme: Variant, chosen: Sequence[Move]
) -> tuple[DataRecipe, Variant]:
    """The configuration after some moves. Operations stand in one canonical order."""
    for move in chosen:
        if move.add is not None:
            steps = [step for step in recipe.steps if not _replaces(move.add, step)]
            steps = sorted([*steps, move.add], key=_rank)
            recipe = recipe.model_copy(update={"steps": tuple(steps)})
        if move.drop is not None:
            steps = [step for step in recipe.steps if feature_of(step) != move.drop]
            recipe = recipe.model_copy(update={"steps": tuple(steps)})
        if move.max_samples is not None:
            recipe = recipe.model_copy(update={"max_samples": move.max_samples})
        if move.scheme:
            scheme = scheme.model_copy(update=dict(move.scheme))
    return recipe, scheme


def _replaces(new: Operation, old: Operation) -> bool:
    """An operation takes the place of its like; filters that differ stand side by side."""
    return new.op == old.op and (new.op != "select_by_filter" or new == old)


def _rank(operation: Operation) -> tuple[int, str]:
    place = _ORDER.index(operation.op) if operation.op in _ORDER else len(_ORDER)
    return place, canonical_json(operation.params)


def features(recipe: DataRecipe, scheme: Variant) -> dict[str, float]:
    """A configuration as named numbers: logarithms of the scheme, ones for operations.

    The learning rate enters with its square, so that too high and too low can both be bad.
    """
    rate = log10(scheme.lr)
    found = {
        "log10 lr": rate,
        "log10 lr squared": rate * rate,
        "log2 rows seen": log2(scheme.samples or 1),
        "log2 batch": log2(scheme.batch_size),
        "warmup": scheme.warmup,
        "weight decay": scheme.weight_decay,
        f"schedule {scheme.schedule}": 1.0,
        "lora": float(scheme.lora is not None),
        "log2 rows": log2(recipe.max_samples or 1),
    }
    return found | {feature_of(step): 1.0 for step in recipe.steps}
