"""Open space: all that TREX may try on a task, as moves from any configuration.

Agents ask a `Space`, not the task: so the same agent searches the open space of a run and the
finite one of a laboratory whose trainings were all done before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ft_bench.plan import DataRecipe, Variant
from ft_bench.protocols import Brief
from trex_agent.space import Move, moves, root_variants, start_recipe
from trex_agent.survey import Survey, survey

__all__ = ["Look", "OpenSpace", "Sight", "Space", "open_look"]


class Space(Protocol):
    """What may be tried: a start, the moves from any configuration, and what is left out."""

    def start(self) -> DataRecipe:
        """The recipe of the baseline."""
        ...

    def roots(self, count: int) -> list[Variant]:
        """The schemes of the baseline, at most `count`; the first is thought the best."""
        ...

    def moves(self, recipe: DataRecipe, scheme: Variant) -> list[Move]:
        """Every single change that is open from a configuration."""
        ...

    def promises(self) -> dict[str, float]:
        """What the survey expects of each feature, in units of reward."""
        ...

    def allows(self, recipe: DataRecipe, scheme: Variant) -> bool:
        """Whether a configuration may be trained."""
        ...


class OpenSpace:
    """The moves that survey and brief open; no training may cost too much.

    Args:
        survey: what is wrong with the pool.
        brief: the task.
        max_work: the most work of one training, in multiples of the baseline's rows seen.
        aidp: without it, a recipe has sources and caps but no operators.
    """

    def __init__(
        self, survey: Survey, brief: Brief, max_work: float = 3.0, *, aidp: bool = True
    ) -> None:
        self.survey, self.brief, self.max_work, self.aidp = survey, brief, max_work, aidp

    def start(self) -> DataRecipe:
        """The raw pool, capped."""
        return start_recipe(self.brief)

    def roots(self, count: int) -> list[Variant]:
        """A small grid of learning rates."""
        return root_variants(self.brief, count)

    def moves(self, recipe: DataRecipe, scheme: Variant) -> list[Move]:
        """Remedies of the survey, synthesis, sizes, and factors of the scheme."""
        return moves(self.survey, recipe, scheme, self.brief)

    def promises(self) -> dict[str, float]:
        """By the names of the moves, which are those of the features that they set."""
        found = moves(self.survey, DataRecipe(), Variant(), self.brief)
        return {move.name: move.promise for move in found}

    def allows(self, recipe: DataRecipe, scheme: Variant) -> bool:
        """Whether a training stays within what it may cost, and uses nothing that is off."""
        if recipe.steps and not self.aidp:
            return False
        first = root_variants(self.brief, 1)[0]
        return (scheme.samples or 0) <= self.max_work * (first.samples or 1)


@dataclass(frozen=True, slots=True)
class Sight:
    """What an agent knows before it trains anything: the pool's faults, and what may be tried."""

    survey: Survey
    space: Space


Look = Callable[[Brief], Sight]


def open_look(max_work: float = 3.0, *, aidp: bool = True) -> Look:
    """A look at a task: survey the pool, and open the space that it suggests."""

    def see(brief: Brief) -> Sight:
        found = survey(brief)
        return Sight(found, OpenSpace(found, brief, max_work, aidp=aidp))

    return see
