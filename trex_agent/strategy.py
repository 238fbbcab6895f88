"""Strategy: which of the four to try at a node, by Thompson sampling over what has worked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ft_bench.plan import Operation, Strategy
from ft_bench.tree import Node, Tree
from trex_agent.causes import POOL_FINDINGS
from trex_agent.hints import SCHEME_FINDINGS
from trex_agent.survey import Issue, Survey

__all__ = ["CHOICES", "FLOOR", "choose", "odds", "tally"]

CHOICES: tuple[Strategy, ...] = (
    "refine_data_pipeline",
    "construct_synthetic_data",
    "adjust_training_scheme",
)
_PRIOR: Mapping[Strategy, tuple[float, float]] = {
    "refine_data_pipeline": (25 / 208, 10.0),
    "construct_synthetic_data": (11 / 83, 10.0),
    "adjust_training_scheme": (19 / 109, 10.0),
}
"""Improved per attempted in Table 4 of the paper (both backends), and how many trials it weighs."""
FLOOR = 0.1
"""The least chance of every possible strategy."""


def tally(tree: Tree) -> dict[Strategy, tuple[int, int]]:
    """(improved, attempted) by strategy: a node improved if it became a new best."""
    counts: dict[Strategy, tuple[int, int]] = dict.fromkeys(CHOICES, (0, 0))
    for node in tree:
        if node.parent is None or node.diagnosis is None:
            continue
        improved, attempted = counts.get(node.plan.strategy, (0, 0))
        better = node.diagnosis.verdict == "new best"
        counts[node.plan.strategy] = (improved + better, attempted + 1)
    return counts


def odds(survey: Survey, parent: Node, direction: str = "max") -> dict[Strategy, float]:
    """How diagnosis and survey turn the odds of each strategy, by named rules.

    Faulty rows that no operation of the parent's recipe has mended, and bad cases for which the
    pool is to blame, favour the data pipeline; a flat or diverging loss or truncated texts favour
    the scheme; skewed classes favour synthesis.
    """
    best = parent.best(direction)
    steps = best.recipe.steps if best else ()
    open_share = sum(
        max(0.0, issue.share * issue.weight)
        for issue in survey.issues
        if not any(_mends(step, issue) for step in steps)
    )
    findings = parent.diagnosis.findings if parent.diagnosis else ()
    found = {finding.name for finding in findings}
    blamed = sum(finding.share for finding in findings if finding.name in POOL_FINDINGS)
    return {
        "refine_data_pipeline": 1.0 + 12.0 * min(0.5, open_share) + 4.0 * min(0.5, blamed),
        "construct_synthetic_data": 2.0 if "skewed predictions" in found else 1.0,
        "adjust_training_scheme": 3.0 if found & SCHEME_FINDINGS else 1.0,
    }


def _mends(step: Operation, issue: Issue) -> bool:
    """Whether an operation is one of an issue's remedies; filters count only as they stand."""
    return any(
        step.op == remedy.op and (step.params == remedy.params or step.op != "select_by_filter")
        for remedy in issue.remedies
    )


def choose(
    tree: Tree,
    turned: Mapping[Strategy, float],
    possible: Sequence[Strategy],
    rng: np.random.Generator,
) -> Strategy:
    """One Thompson draw; every possible strategy keeps a chance of at least a tenth."""
    if rng.random() < FLOOR * len(possible):
        return possible[int(rng.integers(len(possible)))]
    counts = tally(tree)
    draws = {}
    for strategy in possible:
        rate, weight = _PRIOR[strategy]
        improved, attempted = counts[strategy]
        draw = rng.beta(rate * weight + improved, (1 - rate) * weight + attempted - improved)
        draws[strategy] = turned[strategy] * draw
    return max(possible, key=lambda strategy: draws[strategy])
