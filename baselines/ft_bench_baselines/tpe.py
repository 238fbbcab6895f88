"""TPE: Optuna's tree-structured Parzen estimator over the space that TREX searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ft_bench.digest import derive_seed
from ft_bench.errors import PlanRefused, PrerequisiteError
from ft_bench.protocols import Lab
from ft_bench.tree import Node
from ft_bench_baselines.factorial import (
    Configuration,
    Decision,
    Factorial,
    Point,
    compare,
    plan_of,
    tried,
)
from trex_agent.executor import carry_out
from trex_agent.open_space import Look, open_look

__all__ = ["Tpe", "TpeOptions"]

_MOST_ASKED = 20
"""How often the sampler is asked again where it names what was trained before."""


class TpeOptions(BaseModel):
    """What `-A key=value` may set.

    `trainings` is how many configurations are trained in all, `variants` how many a node holds;
    `startup` are drawn at random first; no training may cost over `max_work` times the baseline's
    rows seen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trainings: int = Field(default=30, ge=1)
    variants: int = Field(default=3, ge=1, le=8)
    startup: int = Field(default=10, ge=1)
    max_work: float = Field(default=3.0, gt=0)


class Tpe:
    """Asks Optuna's sampler for a node's configurations, and tells it what they scored.

    The study is made anew for each node from what the Lab shows, with a sampler seeded by the
    node, so that a run that was cut off goes on as if it had not been.
    """

    name = "tpe"
    Options = TpeOptions

    def __init__(self, options: TpeOptions, backend: object, look: Look | None = None) -> None:
        self.options = options
        self.look = look or open_look(options.max_work)

    def run(self, lab: Lab) -> None:
        """Train what the sampler asks for until the budget or the number of trainings ends.

        Raises:
            PrerequisiteError: where Optuna is not installed.
        """
        optuna = _optuna()
        factorial = Factorial(self.look(lab.brief).space)
        size = min(self.options.variants, lab.brief.max_variants)
        points: list[Point] = []
        while len(points) < self.options.trainings:
            count = min(size, self.options.trainings - len(points))
            node = len(lab.tree)
            ask = partial(self._ask, optuna, lab, factorial, tuple(points), count)
            again = f", refused {len(lab.tree.refused)}" if lab.tree.refused else ""
            asked = lab.agree(f"points of node {node}{again}", ask)
            fresh = [tuple(int(index) for index in point) for point in asked]
            if not fresh:
                return
            objective = f"Points {len(points) + 1} to {len(points) + len(fresh)} of the sampler"
            plan = plan_of([factorial.configuration(point) for point in fresh], objective, "tpe")
            try:
                node = lab.propose(0 if node else None, plan)
            except PlanRefused:
                continue
            points += fresh
            carry_out(lab, node, compare)

    def _ask(
        self, optuna: Any, lab: Lab, factorial: Factorial, points: Sequence[Point], count: int
    ) -> list[Point]:
        """The next points; one that was tried is asked for again, and at last drawn at random."""
        seed = derive_seed(lab.brief.seed, "tpe", len(lab.tree) + len(lab.tree.refused))
        space = {item.slot: _distribution(optuna, item) for item in factorial.decisions}
        study = self._study(optuna, lab, space, points, seed)
        rng, known = np.random.default_rng(seed), tried(lab.tree)
        found: list[Point] = []
        while len(found) < count:
            point = self._new(study, space, factorial, known) or factorial.draw(rng, known)
            if point is None:
                break
            known.add(factorial.configuration(point))
            found.append(point)
        return found

    def _new(
        self, study: Any, space: Mapping[str, Any], factorial: Factorial, known: set[Configuration]
    ) -> Point | None:
        for _ in range(_MOST_ASKED):
            params = study.ask(dict(space)).params
            asked = tuple(int(params[slot]) for slot in space)
            point = self.accept(factorial, asked, known)
            if point is not None:
                return point
        return None

    def accept(self, factorial: Factorial, point: Point, known: set[Configuration]) -> Point | None:
        """What is trained where the sampler asks for `point`; None to ask it again."""
        new = factorial.configuration(point) not in known
        return point if new and factorial.allows(point) else None

    def _study(
        self, optuna: Any, lab: Lab, space: Mapping[str, Any], points: Sequence[Point], seed: int
    ) -> Any:
        """A study that holds every outcome so far; failures count as such."""
        sampler = optuna.samplers.TPESampler(
            seed=seed % 2**32, n_startup_trials=self.options.startup
        )
        direction = "maximize" if lab.tree.direction == "max" else "minimize"
        study = optuna.create_study(sampler=sampler, direction=direction)
        for point, score in zip(points, _scores(list(lab.tree)), strict=True):
            state = optuna.trial.TrialState
            study.add_trial(
                optuna.trial.create_trial(
                    state=state.FAIL if score is None else state.COMPLETE,
                    value=score,
                    params=dict(zip(space, point, strict=True)),
                    distributions=dict(space),
                )
            )
        return study


def _scores(nodes: list[Node]) -> list[float | None]:
    """What each configuration scored, in the order of asking; None where it failed."""
    return [item.score.value if item.score else None for node in nodes for item in node.outcomes]


def _distribution(optuna: Any, decision: Decision) -> Any:
    """Values of one number are ordered; remedies and the like are not."""
    last = len(decision.options) - 1
    if decision.ordered:
        return optuna.distributions.IntDistribution(0, last)
    return optuna.distributions.CategoricalDistribution(tuple(range(last + 1)))


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as cause:
        raise PrerequisiteError(
            "The agent 'tpe' needs Optuna, which is not installed; "
            'expected `pip install "ft-bench[tpe]"`'
        ) from cause
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
