"""Tree: a pure view over a run's nodes, folded from the bodies of its events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ft_bench.digest import digest
from ft_bench.plan import DataRecipe, ExperimentPlan, Variant
from ft_bench.record import (
    Built,
    Concluded,
    Diagnosis,
    Evaluated,
    Failed,
    Planned,
    Refused,
    Score,
    Steered,
    Trained,
)
from ft_bench.steering import Steering, forbidden

__all__ = ["Node", "Outcome", "Tree"]

Status = Literal["running", "succeeded", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One variant of a node: what it was to be, and what has become of it so far.

    `confirmations` are scores of the same configuration under other seeds, sorted by replica.
    """

    index: int
    recipe: DataRecipe
    variant: Variant
    dataset: Built | None = None
    trained: Trained | None = None
    score: Score | None = None
    failure: Failed | None = None
    confirmations: tuple[tuple[int, Score], ...] = ()

    @property
    def work(self) -> int:
        """Rows seen in training: a cost that is the same on every machine."""
        return self.trained.samples if self.trained else 0


@dataclass(frozen=True, slots=True)
class Node:
    """One round of the search. Node 0 is the baseline and has no parent."""

    id: int
    parent: int | None
    plan: ExperimentPlan
    outcomes: tuple[Outcome, ...]
    status: Status = "running"
    diagnosis: Diagnosis | None = None
    datasets: tuple[Built, ...] = ()

    def best(self, direction: str = "max") -> Outcome | None:
        """The variant with the best validation score; ties go to the cheaper, then the first."""
        scored = [outcome for outcome in self.outcomes if outcome.score is not None]
        return min(scored, key=lambda item: _order(item, direction), default=None)

    def failures(self) -> tuple[Failed, ...]:
        """Every failure of the node's variants, in order."""
        return tuple(item.failure for item in self.outcomes if item.failure is not None)


def _order(outcome: Outcome, direction: str) -> tuple[float, int, int]:
    value = outcome.score.value if outcome.score else 0.0
    return (-value if direction == "max" else value, outcome.work, outcome.index)


@dataclass(frozen=True)
class Tree:
    """The nodes of a run, by id, the base model's score on validation, and a person's wishes."""

    nodes: dict[int, Node] = field(default_factory=dict)
    base: Score | None = None
    direction: Literal["max", "min"] = "max"
    steering: Steering = field(default_factory=Steering)
    refused: tuple[Refused, ...] = ()

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def __len__(self) -> int:
        return len(self.nodes)

    def node(self, node: int) -> Node:
        """The node of that id.

        Raises:
            KeyError: where there is none.
        """
        return self.nodes[node]

    def children(self, node: int) -> list[Node]:
        """Nodes proposed from `node`, oldest first."""
        return [other for other in self.nodes.values() if other.parent == node]

    def forbidden(self, parent: int | None, wanted: tuple[DataRecipe, Variant]) -> str | None:
        """What a person has banned that a child of `parent` would do, None where it may be."""
        best = None if parent is None else self.nodes[parent].best(self.direction)
        recipes = {
            node: [item.recipe for item in self.nodes[node].outcomes]
            for node in self.steering.banned_nodes & self.nodes.keys()
        }
        origin = (best.recipe, best.variant) if best else None
        return forbidden(self.steering, recipes, origin, wanted)

    def siblings(self, node: int) -> list[Node]:
        """Other children of the same parent, oldest first."""
        parent = self.nodes[node].parent
        return [] if parent is None else [n for n in self.children(parent) if n.id != node]

    def path(self, node: int) -> list[Node]:
        """From the root to `node`, both included."""
        found: list[Node] = []
        cursor: int | None = node
        while cursor is not None:
            found.append(self.nodes[cursor])
            cursor = self.nodes[cursor].parent
        return found[::-1]

    def subtree(self, node: int) -> list[Node]:
        """`node` and everything below it, in order of creation."""
        inside = {node}
        for other in self.nodes.values():
            if other.parent in inside:
                inside.add(other.id)
        return [other for other in self.nodes.values() if other.id in inside]

    def value(self, node: int) -> float | None:
        """The node's best validation metric, None where no variant was scored."""
        best = self.nodes[node].best(self.direction)
        return best.score.value if best and best.score else None

    def best(self) -> tuple[Node, Outcome] | None:
        """The best scored variant of the whole tree; ties go to the cheaper, then the earlier."""
        found = [(node, best) for node in self if (best := node.best(self.direction)) is not None]
        return min(
            found, key=lambda pair: (*_order(pair[1], self.direction)[:2], pair[0].id), default=None
        )

    def curve(self) -> list[tuple[int, float]]:
        """Best validation value so far after each node that scored: (node id, value)."""
        points: list[tuple[int, float]] = []
        for node in self:
            value = self.value(node.id)
            if value is None:
                continue
            last = points[-1][1] if points else value
            points.append(
                (node.id, max(last, value) if self.direction == "max" else min(last, value))
            )
        return points

    def with_body(self, body: Any) -> Tree:
        """This tree after one more event; bodies that say nothing about nodes change nothing."""
        match body:
            case Planned():
                outcomes = tuple(
                    Outcome(index=index, recipe=recipe, variant=variant)
                    for index, (recipe, variant) in enumerate(body.plan.configurations())
                )
                return self._put(Node(body.node, body.parent, body.plan, outcomes))
            case Evaluated(node=None):
                return replace(self, base=body.score)
            case Built():
                node = self.nodes[body.node]
                return self._put(
                    replace(_with_dataset(node, body), datasets=(*node.datasets, body))
                )
            case Trained(node=int(at)) | Evaluated(node=int(at)) | Failed(node=int(at)):
                return self._put(_with_outcome(self.nodes[at], body))
            case Steered():
                return replace(self, steering=self.steering.after(body))
            case Refused():
                return replace(self, refused=(*self.refused, body))
            case Concluded():
                node = replace(self.nodes[body.node], status=body.status, diagnosis=body.diagnosis)
                return self._put(node)
            case _:
                return self

    def _put(self, node: Node) -> Tree:
        return replace(self, nodes={**self.nodes, node.id: node})

    @classmethod
    def of(cls, bodies: Iterable[Any], direction: Literal["max", "min"] = "max") -> Tree:
        """Fold the bodies of a journal, oldest first."""
        tree = cls(direction=direction)
        for body in bodies:
            tree = tree.with_body(body)
        return tree

    def digest(self) -> str:
        """A hash of all that two runs of the same seed must share: no times, no paths."""
        return digest(
            [
                {
                    "id": node.id,
                    "parent": node.parent,
                    "plan": node.plan.essence(),
                    "status": node.status,
                    "outcomes": [_essence(outcome) for outcome in node.outcomes],
                }
                for node in self
            ]
        )


def _essence(outcome: Outcome) -> dict[str, Any]:
    return {
        "score": outcome.score.value if outcome.score else None,
        "dataset": outcome.dataset.dataset if outcome.dataset else None,
        "failure": outcome.failure.failure if outcome.failure else None,
        "confirmations": [[replica, score.value] for replica, score in outcome.confirmations],
    }


def _with_dataset(node: Node, body: Built) -> Node:
    key = digest(body.recipe)
    return replace(
        node,
        outcomes=tuple(
            replace(item, dataset=body) if digest(item.recipe) == key else item
            for item in node.outcomes
        ),
    )


def _elsewhere(item: Outcome, failed: Failed) -> bool:
    """Whether a dataset that could not be made is that of another recipe than the outcome's."""
    return (
        failed.phase == "build"
        and failed.key.partition(" ")[0] == "built"
        and (not failed.key.endswith(digest(item.recipe)))
    )


def _on_its_dataset(node: Node, item: Outcome, trained: Trained) -> Outcome:
    """The outcome with its training, and with the recipe of the dataset that was really used.

    A file that the agent wrote may have taken the place of the plan's recipe, or of one that could
    not be built.
    """
    failure = None if item.failure and item.failure.phase == "build" else item.failure
    if item.dataset is None or item.dataset.dataset != trained.dataset:
        for built in node.datasets:
            if built.dataset == trained.dataset:
                item = replace(item, dataset=built, recipe=built.recipe)
    return replace(item, trained=trained, failure=failure)


def _replica(confirmation: tuple[int, Score]) -> int:
    return confirmation[0]


def _with_outcome(node: Node, body: Trained | Evaluated | Failed) -> Node:
    def change(item: Outcome) -> Outcome:
        if body.variant is not None and item.index != body.variant:
            return item
        if isinstance(body, Failed):
            return item if body.replica or _elsewhere(item, body) else replace(item, failure=body)
        if isinstance(body, Trained):
            return item if body.replica else _on_its_dataset(node, item, body)
        if body.replica:
            fresh = dict(item.confirmations) | {body.replica: body.score}
            return replace(item, confirmations=tuple(sorted(fresh.items(), key=_replica)))
        return replace(item, score=body.score)

    return replace(node, outcomes=tuple(change(item) for item in node.outcomes))
