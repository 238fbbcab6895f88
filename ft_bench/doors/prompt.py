"""Prompt: what an agent is told in words; a file in its workspace, never an argument."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from string import Template

from ft_bench.lab import MeteredLab
from ft_bench.plan import ExperimentPlan, Variant
from ft_bench.protocols import Brief

__all__ = ["prompt_text"]

_UNITS = {
    "iterations": "iterations (nodes after the first)",
    "device_seconds": "device-seconds",
    "wall_seconds": "seconds by the clock",
    "tokens": "tokens of language models",
    "usd": "US dollars for language models",
}


def prompt_text(lab: MeteredLab, words: str = "") -> str:
    """The task, the verbs and the limits, with the agent's own words before them."""
    brief = lab.brief
    template = Template(resources.files(__package__).joinpath("prompt.md").read_text("utf-8"))
    return template.substitute(
        title=f"Improve {brief.base_model} on {brief.task}",
        words=words.strip() + "\n\n" if words.strip() else "",
        brief=brief.text.strip(),
        metric=brief.metric.name,
        direction="higher is better" if brief.metric.direction == "max" else "lower is better",
        base_model=brief.base_model,
        train=brief.train,
        validation=brief.validation,
        n_train=f"{brief.rows['train']:,}",
        n_validation=f"{brief.rows['validation']:,}",
        workspace=brief.workspace,
        plan=_plan(),
        limits="\n".join(_limits(lab, brief)),
    )


def _plan() -> str:
    plan = ExperimentPlan(
        strategy="establish_baseline",
        objective="two learning rates",
        variants=(Variant(lr=1e-4), Variant(lr=5e-4)),
    )
    shown = plan.model_dump(mode="json", include={"strategy", "objective", "recipe"})
    shown["variants"] = [
        variant.model_dump(mode="json", include={"lr", "epochs", "batch_size"})
        for variant in plan.variants
    ]
    return json.dumps(shown)


def _limits(lab: MeteredLab, brief: Brief) -> Iterator[str]:
    for name, unit in _UNITS.items():
        limit = lab.setting.budget.limit(name)
        if limit is not None:
            yield f"- {limit:,g} {unit}"
    yield f"- {brief.max_samples:,} rows in one dataset, {brief.max_variants} variants in one node"
