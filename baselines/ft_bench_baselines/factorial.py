"""Factorial: a space as a product of decisions, for agents that draw whole configurations."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np

from ft_bench.plan import DataRecipe, ExperimentPlan, Provenance, Variant
from ft_bench.protocols import Lab
from ft_bench.record import Diagnosis
from ft_bench.tree import Tree
from trex_agent.diagnosis import diagnose
from trex_agent.open_space import Space
from trex_agent.space import Move, apply_moves

__all__ = ["Configuration", "Decision", "Factorial", "Point", "compare", "plan_of", "tried"]

Configuration = tuple[DataRecipe, Variant]
Point = tuple[int, ...]
_MOST_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided together: the moves of one slot, or None to leave it as it is.

    `ordered` says that neighbouring options are alike: they are the values of one number.
    """

    slot: str
    options: tuple[Move | None, ...]
    ordered: bool


class Factorial:
    """Every combination of the moves that are open from the baseline, one move from each slot."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.origin: Configuration = (space.start(), space.roots(1)[0])
        by_slot: dict[str, list[Move]] = {}
        for move in space.moves(*self.origin):
            by_slot.setdefault(move.slot, []).append(move)
        self.decisions = tuple(
            _decision(slot, found, self.origin[1]) for slot, found in sorted(by_slot.items())
        )

    def configuration(self, point: Point) -> Configuration:
        """What a point, one option of each decision, trains."""
        chosen = [
            move
            for decision, index in zip(self.decisions, point, strict=True)
            if (move := decision.options[index]) is not None
        ]
        return apply_moves(*self.origin, chosen)

    def allows(self, point: Point) -> bool:
        """Whether the space lets a point be trained."""
        return self.space.allows(*self.configuration(point))

    def draw(self, rng: np.random.Generator, known: Container[Configuration]) -> Point | None:
        """A point drawn uniformly from those allowed and not in `known` (see `tried`).

        None where a thousand draws found none: the space is as good as exhausted.
        """
        sizes = [len(decision.options) for decision in self.decisions]
        for _ in range(_MOST_DRAWS):
            point = tuple(int(index) for index in rng.integers(sizes)) if sizes else ()
            if self.configuration(point) not in known and self.allows(point):
                return point
        return None


def _decision(slot: str, found: Sequence[Move], scheme: Variant) -> Decision:
    values = [dict(move.scheme).get(slot) for move in found]
    numbers = [value for value in values if isinstance(value, int | float)]
    if len(numbers) < len(found):
        return Decision(slot, (None, *found), ordered=False)
    now: dict[float, Move | None] = {float(getattr(scheme, slot)): None}
    by_value = now | dict(zip(map(float, numbers), found, strict=True))
    return Decision(slot, tuple(by_value[value] for value in sorted(by_value)), ordered=True)


def compare(lab: Lab, node: int) -> Diagnosis:
    """Diagnose by scores alone: an agent that does not learn from items need not look at them."""
    return diagnose(lab, node, "metrics")


def tried(tree: Tree) -> set[Configuration]:
    """The configurations that a tree holds, trained or not, and those that a person refused."""
    held = [(outcome.recipe, outcome.variant) for node in tree for outcome in node.outcomes]
    held += [pair for body in tree.refused for pair in body.plan.configurations()]
    return {(recipe, variant.scheme()) for recipe, variant in held}


def plan_of(configurations: Sequence[Configuration], objective: str, kind: str) -> ExperimentPlan:
    """A plan that trains whole configurations, whatever the parent's is.

    Only `establish_baseline` may change recipe and scheme at once.
    """
    first = configurations[0][0]
    return ExperimentPlan(
        strategy="establish_baseline",
        objective=objective,
        recipe=first,
        variants=tuple(
            scheme.model_copy(update={"recipe": None if recipe == first else recipe})
            for recipe, scheme in configurations
        ),
        provenance=Provenance(kind=kind),
    )
