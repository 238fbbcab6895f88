"""Draft: a plan as the model writes it, against its parent; checked and made an ExperimentPlan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ft_bench.digest import digest
from ft_bench.errors import PlanInvalid
from ft_bench.plan import (
    DataRecipe,
    ExpectedEffect,
    ExperimentPlan,
    Provenance,
    Strategy,
    Variant,
    check_plan,
)
from ft_bench.protocols import Brief
from ft_bench.tree import Outcome, Tree

__all__ = ["Choice", "Draft", "Rules", "free_operators", "plan_of"]


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Choice(_Written):
    """The strategy of a node, and why."""

    strategy: Literal["refine_data_pipeline", "construct_synthetic_data", "adjust_training_scheme"]
    objective: str = Field(min_length=1, max_length=400)
    hypothesis: str = Field(default="", max_length=800)
    evidence: tuple[str, ...] = Field(default=(), max_length=8)


class Draft(_Written):
    """A plan as changes to its parent: a whole recipe where the data change, and variants.

    A variant is an object with the fields of the training scheme that it changes, and a `recipe`
    of its own where its data differ: lr, samples, batch_size, max_length, lora {r, alpha, dropout},
    schedule (cosine, linear, constant), warmup, weight_decay, packing.
    """

    objective: str = Field(min_length=1, max_length=400)
    hypothesis: str = Field(default="", max_length=800)
    evidence: tuple[str, ...] = Field(default=(), max_length=8)
    expected_effect: ExpectedEffect | None = None
    recipe: DataRecipe | None = None
    variants: tuple[dict[str, Any], ...] = Field(min_length=1, max_length=8)


@dataclass(frozen=True)
class Rules:
    """What a plan is held to.

    Attributes:
        brief: the task.
        tree: every earlier node.
        at: the node that the plan refines.
        parent: the outcome of it that the plan starts from.
        most_samples: the most rows that one training may see.
        variants: the most variants.
        aidp: whether recipes may have operators.
        allows: whether a configuration lies in the space of this search.
        sources: ids of files in the workspace that may be sources besides "train".
    """

    brief: Brief
    tree: Tree
    at: int
    parent: Outcome
    most_samples: int
    variants: int
    aidp: bool = True
    allows: Callable[[DataRecipe, Variant], bool] = lambda recipe, variant: True
    sources: tuple[str, ...] = ()

    @property
    def least(self) -> int:
        """The fewest variants: three, where as many are allowed."""
        return min(3, self.variants)


def free_operators() -> tuple[str, ...]:
    """AIDP's operators that ask no model and load none: a recipe's work is not metered in USD."""
    import aidp

    costly = ("model calls", "quadratic in clusters")
    entries = aidp.catalogue()
    loads = ("load_local_dataset", "load_remote_dataset", "mix")
    return tuple(e["name"] for e in entries if e["cost"] not in costly and e["name"] not in loads)


def plan_of(
    draft: Draft, strategy: Strategy, rules: Rules, provenance: Provenance
) -> ExperimentPlan:
    """The draft as a plan that the Lab will take.

    Raises:
        PlanInvalid, ValueError: with the rule that it breaks; nothing was recorded.
    """
    if not rules.least <= len(draft.variants) <= rules.variants:
        raise PlanInvalid(
            f"there are {len(draft.variants)} variants, expected {rules.least} to {rules.variants}"
        )
    base = draft.recipe or rules.parent.recipe
    variants = tuple(_variant(written, base, rules) for written in draft.variants)
    plan = ExperimentPlan(
        strategy=strategy,
        objective=draft.objective,
        hypothesis=draft.hypothesis,
        evidence=draft.evidence,
        expected_effect=draft.expected_effect,
        recipe=base,
        variants=variants,
        provenance=provenance,
    )
    for recipe, variant in plan.configurations():
        _check_recipe(recipe, rules)
        if (variant.samples or 0) > rules.most_samples:
            raise PlanInvalid(
                f"samples is {variant.samples}, expected at most {rules.most_samples}"
            )
        if not rules.allows(recipe, variant.scheme()):
            raise PlanInvalid("a variant lies outside the space of this search; change less")
        banned = rules.tree.forbidden(rules.at, (recipe, variant.scheme()))
        if banned is not None:
            raise PlanInvalid(f"the plan uses {banned}, which a person has banned; leave it out")
    parent = (rules.parent.recipe, rules.parent.variant.scheme())
    _check_tried(plan, rules)
    earlier = [node.plan.essence() for node in rules.tree]
    check_plan(plan, parent, earlier, rules.variants)
    return plan


def _variant(written: Mapping[str, Any], base: DataRecipe, rules: Rules) -> Variant:
    scheme = rules.parent.variant.scheme().model_dump(mode="json")
    given = dict(written)
    if isinstance(given.get("lora"), dict) and isinstance(scheme.get("lora"), dict):
        given["lora"] = {**scheme["lora"], **given["lora"]}
    given.pop("replica", None)
    variant = Variant.model_validate({**scheme, **given})
    own = variant.recipe
    return variant.model_copy(update={"recipe": None if own == base else own})


def _check_recipe(recipe: DataRecipe, rules: Rules) -> None:
    """Sources, operators and their options, before any row is read.

    Raises:
        PlanInvalid: names what is not allowed, and what is.
    """
    import aidp

    known = ("train", *rules.sources)
    for source in recipe.sources:
        if source.id not in known:
            raise PlanInvalid(
                f"source {source.id!r} is not allowed; expected one of {', '.join(known)}"
            )
    if recipe.steps and not rules.aidp:
        raise PlanInvalid("AIDP is switched off: a recipe has sources and a cap but no steps")
    allowed = free_operators()
    for step in recipe.steps:
        if step.op not in allowed:
            raise PlanInvalid(
                f"operator {step.op!r} is not allowed; expected one of {', '.join(allowed)}"
            )
        if step.params.get("against") not in (None, "train", "validation"):
            raise PlanInvalid(
                f"{step.op} is run against {step.params['against']!r}; expected 'validation'"
            )
    aidp.validate(recipe.model_dump(mode="json"))


def _check_tried(plan: ExperimentPlan, rules: Rules) -> None:
    tried = {
        digest([item.recipe, item.variant.scheme()]): f"was tried already, at node {node.id}"
        for node in rules.tree
        for item in node.outcomes
    }
    for body in rules.tree.refused:
        for recipe, variant in body.plan.configurations():
            tried[digest([recipe, variant.scheme()])] = "was refused by a person"
    for number, (recipe, variant) in enumerate(plan.configurations()):
        why = tried.get(digest([recipe, variant.scheme()]))
        if why is not None:
            raise PlanInvalid(f"variant {number} {why}; change it")
