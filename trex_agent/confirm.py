"""Confirm: train the top configurations again under fresh seeds, and choose on those alone.

Choosing the best of many models on a few hundred items inflates its score; the mean over seeds
that the choice did not see does not.
"""

from __future__ import annotations

from dataclasses import dataclass

from ft_bench.digest import digest
from ft_bench.lab import model_id
from ft_bench.protocols import Lab
from ft_bench.tree import Outcome, Tree
from trex_agent.executor import replicate

__all__ = ["Contender", "confirm", "contenders", "verdict"]


@dataclass(frozen=True, slots=True)
class Contender:
    """A configuration that may be the run's answer: where it stands, and its outcome."""

    node: int
    outcome: Outcome


def contenders(tree: Tree, top: int) -> list[Contender]:
    """The best `top` different configurations by validation; ties go to the cheaper."""
    sign = -1.0 if tree.direction == "max" else 1.0
    found = [
        Contender(node.id, outcome)
        for node in tree
        for outcome in node.outcomes
        if outcome.score is not None
    ]
    found.sort(key=lambda c: (sign * _value(c.outcome), c.outcome.work, c.node))
    seen: set[str] = set()
    chosen = []
    for contender in found:
        key = digest([contender.outcome.recipe, contender.outcome.variant])
        if key not in seen:
            seen.add(key)
            chosen.append(contender)
    return chosen[:top]


def _value(outcome: Outcome) -> float:
    return outcome.score.value if outcome.score else 0.0


def confirm(lab: Lab, top: int, seeds: int) -> None:
    """Train the top configurations under `seeds` fresh seeds each.

    Raises:
        BudgetExhausted: where the budget ends first; what was done counts.
    """
    chosen = contenders(lab.tree, top)
    replicate(
        lab,
        [
            (contender.node, contender.outcome.index, replica)
            for replica in range(1, seeds + 1)
            for contender in chosen
        ],
    )


def verdict(tree: Tree, top: int) -> tuple[str, str] | None:
    """The model to submit, and why: best fresh mean; of its models, the best on validation.

    Without any confirmation the best on validation stands.
    """
    chosen = contenders(tree, top)
    if not chosen:
        return None
    sign = -1.0 if tree.direction == "max" else 1.0
    confirmed = [c for c in chosen if c.outcome.confirmations]
    if not confirmed:
        first = chosen[0]
        return model_id(first.node, first.outcome.index), "best on validation, unconfirmed"
    best = min(confirmed, key=lambda c: (sign * _fresh(c.outcome), c.outcome.work, c.node))
    models = [(0, _value(best.outcome))]
    models += [(replica, score.value) for replica, score in best.outcome.confirmations]
    replica, _ = min(models, key=lambda pair: (sign * pair[1], pair[0]))
    reason = (
        f"best mean over fresh seeds, {_fresh(best.outcome):.4f}, of {len(confirmed)} confirmed "
        "configurations"
    )
    return model_id(best.node, best.outcome.index, replica), reason


def _fresh(outcome: Outcome) -> float:
    values = [score.value for _, score in outcome.confirmations]
    return sum(values) / len(values)
