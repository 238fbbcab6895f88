"""History: one run as its records tell it; the run may be under way, and then there is no card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeVar

from ft_bench import registry
from ft_bench.errors import FtBenchError
from ft_bench.record import (
    Agreed,
    Built,
    Card,
    Concluded,
    Evaluated,
    Event,
    Failed,
    RunManifest,
    Selected,
    Settled,
    Trained,
)
from ft_bench.store import RunPaths, read_card, read_events, read_manifest
from ft_bench.tree import Tree

__all__ = ["History", "read_history"]

T = TypeVar("T")
Direction = Literal["max", "min"]


@dataclass(frozen=True)
class History:
    """A run's records, and the tree that follows from them."""

    paths: RunPaths
    manifest: RunManifest
    card: Card | None
    events: tuple[Event, ...]
    tree: Tree

    def of(self, kind: type[T]) -> Iterator[T]:
        """The bodies of one kind, oldest first."""
        return (event.body for event in self.events if isinstance(event.body, kind))

    @cached_property
    def selected(self) -> Selected | None:
        """What went to the test, None as long as nothing has."""
        return next(self.of(Selected), None)

    @cached_property
    def chosen(self) -> str:
        """The model that a reader wants to see: the selected one, else the best so far."""
        if self.selected is not None:
            return self.selected.model
        best = self.tree.best()
        return f"n{best[0].id}v{best[1].index}" if best else "base"

    @cached_property
    def path(self) -> tuple[int, ...]:
        """The nodes from the root to the chosen one, empty where that is the base."""
        scored = self.evaluated(self.chosen)
        node = scored.node if scored else self.selected.node if self.selected else None
        if node is None or node not in self.tree.nodes:
            return ()
        return tuple(item.id for item in self.tree.path(node))

    def trained(self, model: str) -> Trained | None:
        """How a model was trained, None where it was not."""
        return next((body for body in self.of(Trained) if body.model == model), None)

    def evaluated(self, model: str) -> Evaluated | None:
        """A model's evaluation on validation, None where there is none."""
        return next((body for body in self.of(Evaluated) if body.model == model), None)

    @cached_property
    def dataset(self) -> Built | None:
        """What the chosen model was trained on."""
        trained = self.trained(self.chosen)
        if trained is None:
            return None
        found = (b for b in self.of(Built) if b.dataset == trained.dataset)
        return next((b for b in found if b.node == trained.node), None)

    def agreed(self, key: str) -> Any:
        """What was agreed under a key, None where nothing was."""
        return next((body.value for body in self.of(Agreed) if body.key == key), None)

    @cached_property
    def insights(self) -> Any:
        """The last rules that the agent left, at the end or after a node; None where none were."""
        found = [body.value for body in self.of(Agreed) if body.key.split(" ")[0] == "insights"]
        return found[-1] if found else None

    @cached_property
    def device_seconds_at(self) -> dict[int, float]:
        """Device-seconds that were spent when each node's first variant was scored, or failed."""
        spent = 0.0
        found: dict[int, float] = {}
        for event in self.events:
            if isinstance(event.body, Settled):
                spent += event.body.used.device_seconds
            elif isinstance(event.body, Evaluated | Failed | Concluded):
                found.setdefault(-1 if event.body.node is None else event.body.node, spent)
        found.pop(-1, None)
        return found


def read_history(paths: RunPaths) -> History:
    """Read a run's directory.

    Raises:
        DataMissing: where it is no run, or its card is malformed.
        ChainBroken: where the journal was altered.
    """
    manifest = read_manifest(paths)
    events, _ = read_events(paths.events)
    card = read_card(paths.card) if paths.card.exists() else None
    direction = card.direction if card else _direction(manifest.task)
    tree = Tree.of((event.body for event in events), direction)
    return History(paths, manifest, card, tuple(events), tree)


def _direction(task: str) -> Direction:
    """Which way a task's metric is better; up, where the task is not installed here."""
    try:
        return registry.task(task).metric.direction
    except FtBenchError:
        return "max"
