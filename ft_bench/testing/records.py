"""Records: the smallest valid ones, for tests of whatever folds or reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from ft_bench.errors import FailureKind
from ft_bench.plan import DataRecipe, ExperimentPlan, Strategy, Variant
from ft_bench.record import (
    Concluded,
    Diagnosis,
    Evaluated,
    Failed,
    Interval,
    Planned,
    Score,
    Trained,
)
from ft_bench.tree import Tree

__all__ = ["bodies_of", "concluded", "evaluated", "failed", "grown", "plan", "score", "trained"]

Values = Sequence[float | None]
"""The validation value of each variant of a node, None for one that failed."""


def score(value: float, n: int = 100, split: Literal["validation", "test"] = "validation") -> Score:
    """A score with an interval of one tenth either way."""
    return Score(
        metric="accuracy",
        value=value,
        ci=Interval(low=value - 0.1, high=value + 0.1),
        n=n,
        invalid=0,
        split=split,
        parser="strict",
    )


def plan(
    *rates: float,
    strategy: Strategy = "establish_baseline",
    objective: str = "look",
    recipe: DataRecipe | None = None,
) -> ExperimentPlan:
    """A plan with one variant per learning rate."""
    return ExperimentPlan(
        strategy=strategy,
        objective=objective,
        recipe=recipe or DataRecipe(),
        variants=tuple(Variant(lr=rate) for rate in rates or (1e-4,)),
    )


def trained(node: int, variant: int = 0, replica: int = 0, samples: int = 100) -> Trained:
    """A training that went well."""
    model = f"n{node}v{variant}" + (f"r{replica}" if replica else "")
    return Trained(
        model=model,
        node=node,
        variant=variant,
        replica=replica,
        dataset="d",
        path=f"nodes/{node:03d}/v{variant}",
        seed=1,
        device_seconds=2.0,
        samples=samples,
        tokens=10 * samples,
        steps=1,
        train_loss=2.0,
        final_loss=1.0,
    )


def evaluated(
    node: int | None, variant: int | None, value: float, replica: int = 0, n: int = 100
) -> Evaluated:
    """A score on validation; of the base where `node` is None."""
    model = "base" if node is None else f"n{node}v{variant}" + (f"r{replica}" if replica else "")
    return Evaluated(
        model=model,
        node=node,
        variant=variant,
        replica=replica,
        score=score(value, n),
        device_seconds=1.0,
    )


def failed(node: int, variant: int = 0, kind: FailureKind = "DIVERGED") -> Failed:
    """A training that failed."""
    return Failed(
        node=node,
        variant=variant,
        phase="train",
        failure=kind,
        cause="the loss is nan",
        key=f"trained n{node}v{variant}",
    )


def concluded(
    node: int,
    status: Literal["succeeded", "failed"] = "succeeded",
    verdict: Literal["baseline", "new best", "tie", "worse", "failed"] = "tie",
) -> Concluded:
    """The end of a node."""
    return Concluded(node=node, status=status, diagnosis=Diagnosis(verdict=verdict))


def bodies_of(
    nodes: Sequence[tuple[int | None, Values]], base: float | None = 0.5
) -> Iterator[Any]:
    """The bodies of a whole search.

    Args:
        nodes: (parent, values of the variants) in order of creation; the first has no parent.
        base: the base model's validation value.
    """
    if base is not None:
        yield evaluated(None, None, base)
    for number, (parent, values) in enumerate(nodes):
        rates = [1e-4 * (1 + number) * (1 + place) for place in range(len(values))]
        made = plan(*rates, objective=f"node {number}")
        yield Planned(node=number, parent=parent, plan=made)
        for place, value in enumerate(values):
            if value is None:
                yield failed(number, place)
            else:
                yield trained(number, place)
                yield evaluated(number, place, value)
        worked = any(value is not None for value in values)
        verdict: Literal["baseline", "tie", "failed"] = "tie" if parent is not None else "baseline"
        yield concluded(
            number, "succeeded" if worked else "failed", verdict if worked else "failed"
        )


def grown(
    nodes: Sequence[tuple[int | None, Values]],
    base: float | None = 0.5,
    direction: Literal["max", "min"] = "max",
) -> Tree:
    """The tree of `bodies_of`."""
    return Tree.of(bodies_of(nodes, base), direction)
