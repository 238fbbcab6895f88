"""Tally: what a run did, counted: strategies, costs by phase, failures by kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ft_bench.plan import Strategy
from ft_bench.record import Built, Evaluated, Failed, Settled, Tested, Trained
from ft_bench.report.history import History
from ft_bench.tree import Tree

__all__ = ["FailureTally", "Phase", "StrategyTally", "failures", "phases", "strategies"]

_ORDER: tuple[Strategy, ...] = (
    "establish_baseline",
    "refine_data_pipeline",
    "construct_synthetic_data",
    "adjust_training_scheme",
)


@dataclass(frozen=True, slots=True)
class StrategyTally:
    """How often a strategy was attempted, gave a score, and gave a new best.

    `improved` is None for the baseline, which has nothing to improve on.
    """

    strategy: Strategy
    attempted: int
    succeeded: int
    improved: int | None


@dataclass(frozen=True, slots=True)
class Phase:
    """What one kind of work cost. `device` is False where it ran beside the device."""

    name: str
    jobs: int
    seconds: float
    device: bool = True


@dataclass(frozen=True, slots=True)
class FailureTally:
    """How often a kind of failure came, in which nodes, and the first cause as it was given."""

    kind: str
    count: int
    nodes: tuple[int, ...]
    cause: str


def strategies(tree: Tree) -> list[StrategyTally]:
    """TREX Table 4 for one run; a strategy that was never tried has zeros."""
    rows = []
    for strategy in _ORDER:
        nodes = [node for node in tree if node.plan.strategy == strategy]
        better = sum(n.diagnosis is not None and n.diagnosis.verdict == "new best" for n in nodes)
        rows.append(
            StrategyTally(
                strategy=strategy,
                attempted=len(nodes),
                succeeded=sum(node.status == "succeeded" for node in nodes),
                improved=None if strategy == "establish_baseline" else better,
            )
        )
    return rows


def phases(history: History) -> list[Phase]:
    """Seconds by kind of work; kinds that did not occur are left out."""
    trained, evaluated = list(history.of(Trained)), list(history.of(Evaluated))
    first = [body for body in evaluated if body.node is not None and not body.replica]
    again = [body for body in evaluated if body.replica]
    base = [body for body in evaluated if body.node is None]
    tested = list(history.of(Tested))
    built = [body.seconds for body in history.of(Built)]
    found = [
        Phase("building datasets", len(built), sum(built), device=False),
        _phase("training variants", [body for body in trained if not body.replica]),
        _phase("scoring variants on validation", first),
        _phase("confirming: training", [body for body in trained if body.replica]),
        _phase("confirming: scoring", again),
        _phase("scoring the base on validation", base),
        _phase("the sealed test", tested),
        _lost(history, trained, [*first, *again]),
    ]
    return [phase for phase in found if phase.jobs or phase.seconds]


def _phase(name: str, bodies: Sequence[Trained | Evaluated | Tested]) -> Phase:
    return Phase(name, len(bodies), sum(body.device_seconds for body in bodies))


def _lost(history: History, trained: Sequence[Trained], scored: Sequence[Evaluated]) -> Phase:
    """What was charged for work that left no model and no score."""
    charged = sum(body.used.device_seconds for body in history.of(Settled))
    many = sum(body.phase in ("train", "evaluate") for body in history.of(Failed))
    many += sum(body.orphan and body.used.tokens == 0 for body in history.of(Settled))
    useful = sum(body.device_seconds for body in trained)
    useful += sum(body.device_seconds for body in scored)
    return Phase("failed or lost work", many, max(0.0, round(charged - useful, 3)))


def failures(bodies: Iterable[Failed]) -> list[FailureTally]:
    """Failures by kind, the most frequent first."""
    found: dict[str, list[Failed]] = {}
    for body in bodies:
        found.setdefault(body.failure, []).append(body)
    rows = [
        FailureTally(kind, len(same), tuple(sorted({body.node for body in same})), same[0].cause)
        for kind, same in found.items()
    ]
    return sorted(rows, key=lambda row: (-row.count, row.kind))
