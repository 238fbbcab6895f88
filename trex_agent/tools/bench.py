"""Bench: what the surrogate expects of a configuration, and what the cluster has left."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError

from ft_bench.plan import DataRecipe, Variant
from ft_bench.protocols import Lab
from trex_agent.researcher import observations
from trex_agent.search.reward import noise
from trex_agent.space import features
from trex_agent.surrogate import Surrogate
from trex_agent.tools.toolbox import Arguments, Tool, ToolRefused

__all__ = ["ClusterStatus", "Prediction", "bench_tools"]

_LEAST = 3


class Prediction(Arguments):
    """Changes to the best variant of a node: fields of the scheme, and a whole recipe or none."""

    node: int = Field(ge=0)
    scheme: dict[str, Any] = Field(default_factory=dict)
    recipe: DataRecipe | None = None


class ClusterStatus(Arguments):
    """Nothing has to be given."""


def bench_tools(lab: Lab) -> list[Tool]:
    """Both tools, over the Lab as it is when they are used."""
    return [
        Tool(
            "predict",
            "Predict the validation metric of a configuration from those trained so far.",
            Prediction,
            lambda asked: _predict(lab, asked),
            of_tree=True,
        ),
        Tool(
            "cluster_status",
            "See how many jobs run at once and what is left of each limit.",
            ClusterStatus,
            lambda _: _status(lab),
            of_tree=True,
        ),
    ]


def _predict(lab: Lab, asked: Prediction) -> str:
    tree = lab.tree
    observed = observations(tree)
    if len(observed) < _LEAST:
        raise ToolRefused(f"predict needs {_LEAST} scored variants, there are {len(observed)}.")
    best = tree.node(asked.node).best(tree.direction) if asked.node in tree.nodes else None
    if best is None:
        raise ToolRefused(f"node {asked.node} has no scored variant to start from.")
    try:
        scheme = best.variant.scheme().model_dump(mode="json")
        variant = Variant.model_validate({**scheme, **asked.scheme})
    except ValidationError as wrong:
        raise ToolRefused(f"predict: {wrong.errors()[0]['msg']}.") from wrong
    row = features(asked.recipe or best.recipe, variant)
    model = Surrogate(observed, [row], {}, max(noise(tree), 0.01))
    mean, deviation = model.predict(row)
    standing = best.score.value if best.score else float("nan")
    return (
        f"expected {mean:.4f} +- {deviation:.4f} (one standard deviation, linear model of "
        f"{len(observed)} scores); node {asked.node} has {standing:.4f}"
    )


def _status(lab: Lab) -> str:
    left = lab.remaining()
    limits = {
        "rounds": left.iterations,
        "device-seconds": left.device_seconds,
        "seconds of wall-clock": left.wall_seconds,
        "tokens": left.tokens,
        "USD": left.usd,
    }
    lines = [
        f"{name}: {'no limit' if value == float('inf') else f'{value:.6g} left'}"
        for name, value in limits.items()
    ]
    return "\n".join([f"{lab.brief.slots} jobs run at once", *lines])
