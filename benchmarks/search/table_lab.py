"""Table lab: a Lab whose trainings were all done before, and the space that it offers.

An agent that takes its space from its look at a task (`trex_agent.open_space.Look`) is replayed
unchanged: every move leads to a configuration of the table, or is not allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np
from landscape import Level, Point
from table import Entry, Floats, Table

from ft_bench.digest import derive_seed, digest
from ft_bench.errors import BudgetExhausted, FailureKind, JobFailed
from ft_bench.lab import BASE, model_id
from ft_bench.plan import DataRecipe, ExperimentPlan, Operation, Variant
from ft_bench.protocols import Brief
from ft_bench.record import (
    Built,
    Concluded,
    Diagnosis,
    Evaluated,
    Failed,
    Interval,
    Planned,
    Score,
    Trained,
    Usage,
)
from ft_bench.steering import Steering
from ft_bench.task import Metric
from ft_bench.tree import Tree
from trex_agent.open_space import Sight
from trex_agent.space import Move, feature_of

__all__ = ["Shown", "TableLab", "TableSpace", "best_so_far", "item_weights"]

_DROP = -0.02


class TableSpace:
    """The moves between the points of a table; what was not tabulated is not allowed."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.landscape = table.landscape
        self._promises = {
            feature_of(remedy): issue.share * issue.weight / (place + 1)
            for issue in table.survey.issues
            for place, remedy in enumerate(issue.remedies)
        }

    def start(self) -> DataRecipe:
        """The raw pool."""
        return self.landscape.configuration(self._origin())[0]

    def roots(self, count: int) -> list[Variant]:
        """The learning rates, all else as in the baseline."""
        names = [slot.name for slot in self.landscape.slots]
        place, origin = names.index("lr"), self._origin()
        levels = range(len(self.landscape.slots[place].levels))
        points = [(*origin[:place], level, *origin[place + 1 :]) for level in levels]
        known = [point for point in points if point in self.table.by_point]
        return [self.landscape.configuration(point)[1] for point in known[:count]]

    def _origin(self) -> Point:
        return (0,) * len(self.landscape.slots)

    def moves(self, recipe: DataRecipe, scheme: Variant) -> list[Move]:
        """To every other level of every slot."""
        point = self.table.by_configuration[recipe, scheme.scheme()]
        found = []
        for slot, at in zip(self.landscape.slots, point, strict=True):
            now = slot.levels[at]
            found += [self._move(now, level) for level in slot.levels if level is not now]
        return found

    def _move(self, now: Level, level: Level) -> Move:
        if level.scheme:
            return Move(level.name, "adjust_training_scheme", scheme=level.scheme)
        if level.max_samples is not None:
            return Move(level.name, "refine_data_pipeline", max_samples=level.max_samples)
        if level.operation is None:
            return _without(now.operation)
        name = feature_of(level.operation)
        promise = self._promises.get(name, 0.0)
        return Move(name, "refine_data_pipeline", promise, add=level.operation)

    def promises(self) -> dict[str, float]:
        """Of the remedies."""
        return dict(self._promises)

    def allows(self, recipe: DataRecipe, scheme: Variant) -> bool:
        """Whether it was tabulated."""
        return (recipe, scheme.scheme()) in self.table.by_configuration


def _without(operation: Operation | None) -> Move:
    if operation is None:
        raise ValueError("a slot has two levels without an operation")
    name = feature_of(operation)
    return Move(f"without {name}", "refine_data_pipeline", _DROP, drop=name)


@dataclass(frozen=True, slots=True)
class Shown:
    """One training of a replay: its scores, None where it failed, and its seconds.

    `validation` is on the items of the seed, `whole` on all of them.
    """

    validation: float | None
    whole: float | None
    test: float | None
    seconds: float
    build_seconds: float
    reused: bool


class TableLab:
    """Answers build, train and evaluate from a table; counts iterations as a run does.

    Args:
        table: what is known.
        seed: of the agent, of the validation items that are drawn, and of which training of a
            point is shown where there are several.
        iterations: how many nodes below the root.
        resampled: whether the validation items are drawn with replacement; else they are as they
            were.
    """

    def __init__(
        self,
        table: Table,
        space: TableSpace,
        seed: int,
        iterations: int,
        *,
        resampled: bool = True,
    ) -> None:
        self.table, self.space, self.iterations = table, space, iterations
        self.weights = item_weights(table.head["rows"]["validation"], seed if resampled else None)
        self.trainings: list[Shown] = []
        self._entries: dict[str, Entry] = {}
        self._agreed: dict[str, Any] = {}
        self._built: set[str] = set()
        head = table.head
        self.brief = Brief(
            task=head["task"],
            text="",
            metric=Metric(name="metric", kind="corpus"),
            train=Path(),
            validation=Path(),
            rows=head["rows"],
            base_model="",
            base_parameters=head["base_parameters"],
            workspace=Path(),
            seed=seed,
            slots=1,
            max_samples=50_000,
            max_variants=8,
            iterations=iterations,
        )
        self.tree = Tree().with_body(self.evaluate(BASE))

    def look(self, brief: Brief) -> Sight:
        """The table's survey and space, for agents that ask."""
        return Sight(self.table.survey, self.space)

    def remaining(self) -> Usage:
        """Iterations; nothing else is limited."""
        infinite = float("inf")
        return Usage.model_construct(
            iterations=self.iterations - max(0, len(self.tree) - 1),
            device_seconds=infinite,
            wall_seconds=infinite,
            tokens=infinite,
            usd=infinite,
        )

    def steering(self) -> Steering:
        """Nobody steers."""
        return self.tree.steering

    def propose(self, parent: int | None, plan: ExperimentPlan) -> int:
        """Open a node."""
        if parent is not None and self.remaining().iterations < 1:
            raise BudgetExhausted("iterations", "no iteration is left")
        node = len(self.tree)
        self.tree = self.tree.with_body(Planned(node=node, parent=parent, plan=plan))
        return node

    def build(self, node: int, recipe: DataRecipe) -> Built:
        """Any recipe of the table; whether it leaves a row is found out in training."""
        body = Built(node=node, recipe=recipe, dataset=digest(recipe), rows=1, rows_read=1, path="")
        self.tree = self.tree.with_body(body)
        return body

    def train(self, node: int, variant: int, dataset: str, replica: int = 0) -> Trained:
        """Find the training; a failed one fails again."""
        outcome = self.tree.node(node).outcomes[variant]
        point = self.table.by_configuration[outcome.recipe, outcome.variant.scheme()]
        known = self.table.by_point[point]
        entry = known[derive_seed(self.brief.seed, "which", point, replica) % len(known)]
        row, score = entry.row, entry.score_with(self.weights)
        self.trainings.append(
            Shown(
                score,
                entry.score,
                row.get("test"),
                entry.seconds,
                float(row.get("build_seconds", 0.0)),
                dataset in self._built,
            )
        )
        self._built.add(dataset)
        if score is None:
            self._fail(node, variant, row)
        model = model_id(node, variant, replica)
        self._entries[model] = entry
        body = Trained(
            model=model,
            node=node,
            variant=variant,
            replica=replica,
            dataset=dataset,
            path="",
            seed=row["seed"],
            device_seconds=row["train_seconds"],
            samples=row["samples"],
            tokens=row["tokens"],
            steps=row["steps"],
            train_loss=row["first_loss"],
            final_loss=row["last_loss"],
            truncated=row["truncated"],
        )
        self.tree = self.tree.with_body(body)
        return body

    def _fail(self, node: int, variant: int, row: Any) -> NoReturn:
        kind: FailureKind = row["failure"]
        self.tree = self.tree.with_body(
            Failed(node=node, variant=variant, phase=row["phase"], failure=kind, cause=row["cause"])
        )
        raise JobFailed(kind, row["cause"])

    def evaluate(self, model: str) -> Evaluated:
        """The validation score of what was trained."""
        if model == BASE:
            return self._evaluated(BASE, None, None, self.table.head["base"]["validation"])
        node, variant = (int(part) for part in model[1:].split("v"))
        score = self._entries[model].score_with(self.weights)
        body = self._evaluated(model, node, variant, cast(float, score))
        self.tree = self.tree.with_body(body)
        return body

    def _evaluated(
        self, model: str, node: int | None, variant: int | None, value: float
    ) -> Evaluated:
        score = Score(
            metric="metric",
            value=value,
            ci=Interval(low=value, high=value),
            n=self.table.head["rows"]["validation"],
            invalid=0,
            split="validation",
            parser="strict",
        )
        return Evaluated(
            model=model,
            node=node,
            variant=variant,
            score=score,
            device_seconds=0.0,
        )

    def items(self, model: str) -> list[dict[str, Any]]:
        """Not in the table: agents are replayed with `-A diagnosis=metrics`."""
        raise NotImplementedError("the table holds no outputs")

    def probability_better(self, model: str, other: str) -> float:
        """By the items of the table."""
        return self.table.probability_better(
            self._entries[model], self._entries[other], self.weights
        )

    def conclude(self, node: int, diagnosis: Diagnosis) -> None:
        """Close a node."""
        scored = any(item.score is not None for item in self.tree.node(node).outcomes)
        status = "succeeded" if scored else "failed"
        self.tree = self.tree.with_body(Concluded(node=node, status=status, diagnosis=diagnosis))

    def submit(self, model: str, reason: str) -> None:
        """Of no consequence: curves are drawn from the trainings."""

    def agree(self, key: str, make: Callable[[], Any]) -> Any:
        """Decided once. Insights are for later runs, of which there are none here."""
        if key.startswith("insights"):
            return []
        if key not in self._agreed:
            self._agreed[key] = make()
        return self._agreed[key]


def item_weights(items: int, seed: int | None) -> Floats:
    """How often each validation item counts: once each, or as a bootstrap draw; shape (items,).

    A draw is a function of the seed alone, so agents under one seed are judged by the same items.
    """
    if seed is None:
        return np.ones(items)
    rng = np.random.default_rng(derive_seed("items", seed))
    return np.bincount(rng.integers(items, size=items), minlength=items).astype(float)


def best_so_far(trainings: list[Shown], count: int) -> np.ndarray[Any, Any]:
    """After each of `count` trainings: best validation score, its test score, seconds, whole score.

    Shape (count, 4). The whole score is on all validation items, whatever was drawn. A search that
    ended earlier stays where it was; before the first success the scores are 0.
    """
    rows = np.zeros((count, 4))
    best, seconds = float("-inf"), 0.0
    test = whole = 0.0
    for place in range(count):
        if place < len(trainings):
            made = trainings[place]
            seconds += made.seconds + (0.0 if made.reused else made.build_seconds)
            if made.validation is not None and made.validation > best:
                best, test, whole = made.validation, made.test or 0.0, made.whole or 0.0
        rows[place] = max(best, 0.0), test, seconds, whole
    return rows
