"""Landscape: the finite spaces of recipes that the laboratory tabulates, one per task.

A space is a full factorial of slots. A point names one level of every slot; it stands for one
(data recipe, training scheme), so for one training. The order of the points is shuffled once, by a
fixed seed, so that a table which is not complete is still a fair sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from ft_bench.plan import DataRecipe, Operation, Variant

__all__ = ["LANDSCAPES", "Landscape", "Level", "Point", "Slot"]

Point = tuple[int, ...]
_GROUPS = ("amine", "benzene\\ ring", "carbonyl", "ether", "halogen", "hydroxyl", "none", "thiol")
_GROUP = "|".join(_GROUPS)
_FORMAT = f"answer REGEXP '^({_GROUP})(;\\ ({_GROUP}))*$'"


@dataclass(frozen=True, slots=True)
class Level:
    """One choice of a slot: an operation, a cap on rows, or fields of the scheme; or nothing."""

    name: str
    operation: Operation | None = None
    max_samples: int | None = None
    scheme: tuple[tuple[str, float | int], ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """What is decided together; the first level is the baseline's, as TREX would start."""

    name: str
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class Landscape:
    """A task's space.

    `scheme` and `max_samples` are what no slot changes. Points with a level named in `last` are
    trained after all others.
    """

    task: str
    base_model: str
    slots: tuple[Slot, ...]
    scheme: Variant
    max_samples: int = 10_000
    last: tuple[str, ...] = ()

    def points(self) -> list[Point]:
        """Every point once, in the order in which they are trained."""
        sizes = [range(len(slot.levels)) for slot in self.slots]
        found = list(product(*sizes))
        order = np.random.default_rng(20260101).permutation(len(found))
        shuffled = [found[int(index)] for index in order]
        return sorted(shuffled, key=self._late)

    def fixed(self, slot: str, level: str) -> Landscape:
        """The space that is left where a slot stays at one level."""
        slots = tuple(
            replace(item, levels=tuple(one for one in item.levels if one.name == level))
            if item.name == slot
            else item
            for item in self.slots
        )
        return replace(self, slots=slots)

    def _late(self, point: Point) -> int:
        return sum(level.name in self.last for level in self.levels(point))

    def levels(self, point: Point) -> Iterator[Level]:
        """The level that a point takes in each slot."""
        return (slot.levels[index] for slot, index in zip(self.slots, point, strict=True))

    def configuration(self, point: Point) -> tuple[DataRecipe, Variant]:
        """The recipe and the scheme of a point. Operations stand in the order of their slots."""
        steps, cap, fields = [], self.max_samples, dict[str, Any]()
        for level in self.levels(point):
            if level.operation is not None:
                steps.append(level.operation)
            cap = level.max_samples or cap
            fields |= dict(level.scheme)
        recipe = DataRecipe(steps=tuple(steps), max_samples=cap)
        return recipe, self.scheme.model_copy(update=fields)


def _scheme(name: str, values: tuple[float, ...]) -> Slot:
    return Slot(
        name, tuple(Level(f"{name}={value:g}", scheme=((name, value),)) for value in values)
    )


def _without(source: str) -> Slot:
    where = {"where": f"source <> '{source}'"}
    drop = Level(f"without {source}", Operation(op="select_by_filter", params=where))
    return Slot(source, (Level(f"with {source}"), drop))


def _words(counts: tuple[int, ...]) -> Slot:
    levels = [
        Level(
            f"{count} words",
            Operation(op="filter_by_word_count", params={"column": "prompt", "least": count}),
        )
        for count in counts
    ]
    return Slot("words", (Level("any length"), *levels))


_MINI = Landscape(
    task="mini",
    base_model="",
    slots=(
        Slot(
            "format",
            (
                Level("any format"),
                Level("format", Operation(op="select_by_filter", params={"where": _FORMAT})),
            ),
        ),
        *(_without(source) for source in ("crawl", "curated", "legacy", "vendor")),
        _scheme("lr", (3e-3, 9e-4, 9e-3, 2.7e-2)),
        _scheme("samples", (2000, 1000, 4000)),
        _scheme("batch_size", (32, 64, 16)),
    ),
    scheme=Variant(lr=3e-3, samples=2000, batch_size=32, max_length=1024),
    last=("without curated", "samples=4000", "batch_size=16"),
)
_SST2 = Landscape(
    task="sst2",
    base_model="tiny",
    slots=(
        _words((11, 18)),
        Slot("rows", tuple(Level(f"rows={n}", max_samples=n) for n in (8000, 2000, 500))),
        _scheme("lr", (3e-3, 9e-4, 9e-3, 2.7e-2)),
        _scheme("samples", (4000, 2000, 8000)),
        _scheme("batch_size", (32, 64, 16)),
    ),
    scheme=Variant(lr=3e-3, samples=4000, batch_size=32, max_length=1024),
    last=("samples=8000", "batch_size=16"),
)
LANDSCAPES: Mapping[str, Landscape] = {"mini": _MINI, "sst2": _SST2}
