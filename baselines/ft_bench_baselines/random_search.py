"""Random search: configurations drawn uniformly from the space that TREX searches."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ft_bench.digest import derive_seed
from ft_bench.errors import PlanRefused
from ft_bench.protocols import Lab
from ft_bench_baselines.factorial import Configuration, Factorial, compare, plan_of, tried
from trex_agent.executor import carry_out
from trex_agent.open_space import Look, open_look

__all__ = ["RandomSearch", "RandomSearchOptions"]


class RandomSearchOptions(BaseModel):
    """What `-A key=value` may set.

    `trainings` is how many configurations are trained in all, `variants` how many a node holds;
    no training may cost over `max_work` times the baseline's rows seen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trainings: int = Field(default=30, ge=1)
    variants: int = Field(default=3, ge=1, le=8)
    max_work: float = Field(default=3.0, gt=0)


class RandomSearch:
    """Draws without replacement; learns nothing. What a search has to beat (Bergstra 2012)."""

    name = "random_search"
    Options = RandomSearchOptions

    def __init__(
        self, options: RandomSearchOptions, backend: object, look: Look | None = None
    ) -> None:
        self.options = options
        self.look = look or open_look(options.max_work)

    def run(self, lab: Lab) -> None:
        """Train what is drawn until the budget or the number of trainings ends.

        In place of what a person refuses, something else is drawn.
        """
        factorial = Factorial(self.look(lab.brief).space)
        size = min(self.options.variants, lab.brief.max_variants)
        done = 0
        while done < self.options.trainings:
            drawn = self._draw(lab, factorial, min(size, self.options.trainings - done))
            if not drawn:
                return
            objective = f"Draws {done + 1} to {done + len(drawn)}"
            plan = plan_of(drawn, objective, "random")
            try:
                node = lab.propose(0 if len(lab.tree) else None, plan)
            except PlanRefused:
                continue
            carry_out(lab, node, compare)
            done += len(drawn)

    def _draw(self, lab: Lab, factorial: Factorial, count: int) -> list[Configuration]:
        """New configurations: a function of the seed and of what the tree holds."""
        rng = np.random.default_rng(derive_seed(lab.brief.seed, "random", len(lab.tree)))
        known = tried(lab.tree)
        drawn: list[Configuration] = []
        while len(drawn) < count:
            point = factorial.draw(rng, known)
            if point is None:
                break
            drawn.append(factorial.configuration(point))
            known.add(drawn[-1])
        return drawn
