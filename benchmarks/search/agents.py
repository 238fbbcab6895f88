"""Agents: those that compete in a run, given what a table has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from itertools import product
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from table_lab import TableLab, TableSpace

from ft_bench.plan import DataRecipe, Variant
from ft_bench.protocols import Agent, Brief
from ft_bench_baselines.factorial import Configuration, Factorial, Point
from ft_bench_baselines.grid import Grid, GridOptions
from ft_bench_baselines.random_search import RandomSearch, RandomSearchOptions
from ft_bench_baselines.tpe import Tpe, TpeOptions
from trex_agent.agent import Trex, TrexOptions

__all__ = ["AGENTS", "DEFAULT", "ITERATIONS", "TRAININGS", "VARIANTS"]

ITERATIONS, VARIANTS = 20, 3
TRAININGS = (ITERATIONS + 1) * VARIANTS
DEFAULT = "trex (UCT default)"
_FAR = 1 << 30


def _trex(**options: Any) -> Callable[[TableLab], Agent]:
    given = {"confirm_top": 0, "diagnosis": "metrics", "variants": VARIANTS, **options}

    def make(lab: TableLab) -> Agent:
        return Trex(TrexOptions(**given), None, look=lab.look)

    return make


def _random(lab: TableLab) -> Agent:
    return RandomSearch(RandomSearchOptions(trainings=TRAININGS), None, look=lab.look)


class _NearestTpe(Tpe):
    """TPE that trains the nearest point of the table to what its sampler asks for.

    Distance: levels apart in an ordered decision, 1 where another differs; ties go to the first.
    """

    def __init__(self, lab: TableLab) -> None:
        super().__init__(TpeOptions(trainings=TRAININGS), None, look=lab.look)

    def accept(self, factorial: Factorial, point: Point, known: set[Configuration]) -> Point | None:
        """The nearest that was tabulated and not tried; None where all were."""
        places, points = _places(cast(TableSpace, factorial.space))
        ordered = np.array([decision.ordered for decision in factorial.decisions])
        apart = np.abs(points - np.array(point))
        distance = np.where(ordered, apart, apart > 0).sum(axis=1)
        distance[[places[item] for item in known if item in places]] = _FAR
        nearest = int(distance.argmin())
        return tuple(int(at) for at in points[nearest]) if distance[nearest] < _FAR else None


@cache
def _places(space: TableSpace) -> tuple[dict[Configuration, int], NDArray[np.int64]]:
    """The allowed points of a space, shape (points, decisions), and their rows by configuration."""
    factorial = Factorial(space)
    sizes = [range(len(decision.options)) for decision in factorial.decisions]
    points = [point for point in product(*sizes) if factorial.allows(point)]
    places = {factorial.configuration(point): place for place, point in enumerate(points)}
    return places, np.array(points)


def _tpe(lab: TableLab) -> Agent:
    return _NearestTpe(lab)


def _grid(lab: TableLab) -> Agent:
    """Every scheme of the landscape on the raw pool."""
    start = lab.space.start()
    schemes = [
        scheme
        for recipe, scheme in map(lab.table.landscape.configuration, sorted(lab.table.by_point))
        if recipe == start
    ]

    def points(brief: Brief) -> tuple[DataRecipe, list[Variant]]:
        return start, schemes

    return Grid(GridOptions(trainings=TRAININGS, variants=VARIANTS), None, points=points)


AGENTS: Mapping[str, Callable[[TableLab], Agent]] = {
    "trex (UCT default)": _trex(),
    "grid": _grid,
    "random_search": _random,
    "tpe": _tpe,
    "trex, rules alone": _trex(surrogate=False),
    "trex, paper preset": _trex(search="paper"),
    "trex, gbfs": _trex(search="gbfs"),
    "trex, gbfs-cap": _trex(search="gbfs-cap"),
    "trex, ses": _trex(search="ses"),
    "trex, random node": _trex(search="random"),
}
