"""Grid: a full factorial of the training scheme on the raw pool, in an order that spreads out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ft_bench.digest import derive_seed
from ft_bench.errors import PlanRefused
from ft_bench.plan import DataRecipe, ExperimentPlan, Provenance, Variant
from ft_bench.protocols import Brief, Lab
from ft_bench_baselines.factorial import compare
from trex_agent.executor import carry_out
from trex_agent.space import root_variants, start_recipe

__all__ = ["Grid", "GridOptions"]


class GridOptions(BaseModel):
    """What `-A key=value` may set: how many trainings in all, and how many a node holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trainings: int = Field(default=30, ge=1)
    variants: int = Field(default=5, ge=1, le=8)


Points = Callable[[Brief], tuple[DataRecipe, Sequence[Variant]]]


class Grid:
    """Learning rate x rows seen x batch size, shuffled by the seed, in nodes below the root.

    Args:
        options: what `-A key=value` set.
        backend: is not used.
        points: the recipe and the schemes of the grid, where they are not the usual ones.
    """

    name = "grid"
    Options = GridOptions

    def __init__(self, options: GridOptions, backend: object, points: Points | None = None) -> None:
        self.options = options
        self.points = points or _points

    def run(self, lab: Lab) -> None:
        """Train the points of the grid until the budget or the number of trainings ends.

        Points that a person refuses are left out.
        """
        recipe, schemes = self.points(lab.brief)
        order = np.random.default_rng(derive_seed(lab.brief.seed, "grid")).permutation(len(schemes))
        points = [schemes[int(index)] for index in order][: self.options.trainings]
        size = min(self.options.variants, lab.brief.max_variants)
        parent: int | None = None
        for start in range(0, len(points), size):
            plan = ExperimentPlan(
                strategy="establish_baseline" if parent is None else "adjust_training_scheme",
                objective=f"Points {start + 1} to {start + size} of the grid",
                recipe=recipe,
                variants=tuple(points[start : start + size]),
                provenance=Provenance(kind="grid"),
            )
            try:
                node = lab.propose(parent, plan)
            except PlanRefused:
                continue
            carry_out(lab, node, compare)
            parent = 0 if lab.tree.node(0).status == "succeeded" else None
            if parent is None:
                return


def _points(brief: Brief) -> tuple[DataRecipe, list[Variant]]:
    first = root_variants(brief, 1)[0]
    rates = (first.lr / 10, first.lr / 3, first.lr, first.lr * 1.7, first.lr * 3)
    points = [
        first.model_copy(
            update={
                "lr": float(f"{lr:.3g}"),
                "samples": int((first.samples or 1) * work),
                "batch_size": size,
            }
        )
        for lr, work, size in product(rates, (0.5, 1.0, 1.5), (16, 32, 64))
    ]
    return start_recipe(brief), points
