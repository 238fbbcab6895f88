"""Plan: what a node sets out to do, as typed, frozen, hashable data.

A plan has a strategy, an objective, a data recipe and one to eight variants (paper: three to
five). The tree stores plans, so nodes can be compared field by field and datasets reused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ft_bench.digest import digest
from ft_bench.errors import PlanInvalid

__all__ = [
    "Change",
    "DataRecipe",
    "ExpectedEffect",
    "ExperimentPlan",
    "Lora",
    "Operation",
    "Provenance",
    "Source",
    "Strategy",
    "Variant",
    "changes",
    "check_plan",
]

Strategy = Literal[
    "establish_baseline",
    "refine_data_pipeline",
    "construct_synthetic_data",
    "adjust_training_scheme",
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Frozen):
    """Where rows come from: `train`, `validation` is never one, or a file of the workspace.

    `weight` is this source's share of the mixture (None: take all rows), `max_rows` cuts it.
    """

    id: str = Field(min_length=1)
    revision: str = ""
    licence: str = ""
    weight: float | None = Field(default=None, gt=0)
    max_rows: int | None = Field(default=None, gt=0)


class Operation(_Frozen):
    """One call of an AIDP operator, as data."""

    op: str = Field(min_length=1)
    params: dict[str, Any] = Field(default_factory=dict)

    def __hash__(self) -> int:
        """By operator and texts, so that recipes can be kept in sets; equality decides the rest."""
        texts = frozenset(value for value in self.params.values() if isinstance(value, str))
        return hash((self.op, texts))


class DataRecipe(_Frozen):
    """How a training set is made: sources, then operators in order, then a cap on rows."""

    sources: tuple[Source, ...] = (Source(id="train"),)
    steps: tuple[Operation, ...] = ()
    max_samples: int | None = Field(default=None, gt=0)

    def is_written(self) -> bool:
        """Whether all rows come from files that the agent itself wrote to its workspace."""
        return bool(self.sources) and all(source.id != "train" for source in self.sources)


class Lora(_Frozen):
    """A low-rank adapter (peft): rank, scale and where it sits."""

    r: int = Field(default=16, ge=1, le=512)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: str | tuple[str, ...] = "all-linear"


class Variant(_Frozen):
    """One of a node's parallel configurations: the training scheme.

    `lr` is the peak learning rate; `warmup` a fraction of the steps; `max_length` in tokens;
    `batch_size` in sequences per optimiser step. `samples`, where given, is how many rows are seen
    in all and takes the place of `epochs`: so recipes that keep more or fewer rows are compared at
    equal work. `replica` tells repetitions under another seed
    apart: it is what confirmation changes, and it never makes a new best by itself. `recipe`
    is this variant's own data recipe where it differs from the plan's (paper: "data ratios").
    """

    method: Literal["sft"] = "sft"
    lr: float = Field(default=1e-4, gt=0, le=10)
    epochs: float = Field(default=1.0, gt=0, le=1000)
    samples: int | None = Field(default=None, gt=0)
    batch_size: int = Field(default=32, ge=1)
    max_length: int = Field(default=512, ge=8)
    lora: Lora | None = None
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = Field(default=0.05, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    packing: bool = False
    replica: int = Field(default=0, ge=0)
    recipe: DataRecipe | None = None

    def scheme(self) -> Variant:
        """The training scheme alone: without own recipe and without replica."""
        if self.recipe is None and self.replica == 0:
            return self
        return self.model_copy(update={"recipe": None, "replica": 0})


class ExpectedEffect(_Frozen):
    """What the proposer thinks will happen to the primary metric, and what would prove it wrong."""

    delta: float
    low: float
    high: float
    falsified_if: str = ""


class Provenance(_Frozen):
    """Who proposed this: rules, a surrogate or a model, with hashes of prompt and context."""

    kind: str = "rules"
    model: str = ""
    prompt_hash: str = ""
    context_hash: str = ""


class ExperimentPlan(_Frozen):
    """A node's plan: `recipe` holds for every variant that brings none of its own."""

    strategy: Strategy
    objective: str = Field(min_length=1)
    hypothesis: str = ""
    evidence: tuple[str, ...] = ()
    expected_effect: ExpectedEffect | None = None
    recipe: DataRecipe = DataRecipe()
    variants: tuple[Variant, ...] = Field(min_length=1, max_length=8)
    provenance: Provenance = Provenance()

    @model_validator(mode="after")
    def _variants_differ(self) -> ExperimentPlan:
        if len({digest(variant) for variant in self.variants}) < len(self.variants):
            raise ValueError(
                "two variants of the plan are the same; expected each to differ from every other"
            )
        return self

    def essence(self) -> str:
        """The hash of what is executed: recipe and variants, not the words around them."""
        return digest([[recipe, variant] for recipe, variant in self.configurations()])

    def configurations(self) -> tuple[tuple[DataRecipe, Variant], ...]:
        """What each variant trains: its recipe and its scheme, in order."""
        return tuple(
            (variant.recipe or self.recipe, variant.model_copy(update={"recipe": None}))
            for variant in self.variants
        )


class Change(_Frozen):
    """One field that differs between two plans."""

    field: str
    before: Any
    after: Any


def changes(
    before: tuple[DataRecipe, Variant], after: tuple[DataRecipe, Variant]
) -> tuple[Change, ...]:
    """What differs between two (recipe, variant) pairs, one Change per field that does.

    A recipe's operators are compared as named items, so that the added or dropped one is seen.
    """
    left, right = _flat(*before), _flat(*after)
    return tuple(
        Change(field=name, before=left.get(name), after=right.get(name))
        for name in sorted(left.keys() | right.keys())
        if left.get(name) != right.get(name)
    )


def _flat(recipe: DataRecipe, variant: Variant) -> dict[str, Any]:
    scheme = variant.model_dump(mode="json", exclude={"replica", "recipe"})
    fields: dict[str, Any] = {f"variant.{name}": value for name, value in scheme.items()}
    fields["recipe.max_samples"] = recipe.max_samples
    fields["recipe.sources"] = [source.model_dump(mode="json") for source in recipe.sources]
    for index, step in enumerate(recipe.steps):
        same = sum(1 for other in recipe.steps[:index] if other.op == step.op)
        name = f"recipe.{step.op}" + (f"#{same + 1}" if same else "")
        fields[name] = step.model_dump(mode="json")["params"]
    return fields


_MAY_TOUCH: dict[str, tuple[str, ...]] = {
    "establish_baseline": ("recipe.", "variant."),
    "refine_data_pipeline": ("recipe.",),
    "construct_synthetic_data": ("recipe.",),
    "adjust_training_scheme": ("variant.",),
}
_SEALED = ("validation", "test")


def check_plan(
    plan: ExperimentPlan,
    parent: tuple[DataRecipe, Variant] | None,
    earlier: Iterable[str],
    max_variants: int = 8,
) -> None:
    """Refuse a plan that breaks the contract.

    Args:
        plan: the proposal.
        parent: recipe and scheme of the parent's best variant, None at the root.
        earlier: the essence of every plan that the tree already has.
        max_variants: the most variants one node may have.

    Raises:
        PlanInvalid: with the rule that was broken and the remedy.
    """
    if len(plan.variants) > max_variants:
        raise PlanInvalid(
            f"the plan has {len(plan.variants)} variants, expected at most {max_variants}"
        )
    if plan.essence() in set(earlier):
        raise PlanInvalid(
            f"the plan {plan.objective!r} repeats recipe and variants of an earlier node; "
            "change one field"
        )
    for recipe, variant in plan.configurations():
        sealed = [source.id for source in recipe.sources if source.id in _SEALED]
        if sealed:
            raise PlanInvalid(
                f"a recipe names {sealed[0]!r} as a source; only training data may be trained on"
            )
        if parent is not None:
            _check_strategy(plan.strategy, changes(parent, (recipe, variant)))


def _check_strategy(strategy: Strategy, made: tuple[Change, ...]) -> None:
    outside = [change.field for change in made if not change.field.startswith(_MAY_TOUCH[strategy])]
    if outside:
        raise PlanInvalid(
            f"strategy {strategy!r} may only touch {_MAY_TOUCH[strategy][0]}* but the plan changes "
            f"{', '.join(outside)}; choose the strategy that owns the field"
        )
