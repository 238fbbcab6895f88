"""Replay: real agents over tabulated trainings, hundreds of seeds in minutes.

    python benchmarks/search/replay.py [--seeds 200] [--tasks mini,sst2] [--agents trex,tpe]

Every agent is the one that competes in a run, with 20 iterations of 3 variants below a root of 3:
63 trainings at most. Writes `outcome.json`, `curves.svg` and the tables of `README.md`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from landscape import LANDSCAPES
from numpy.typing import NDArray
from table import Table, load
from table_lab import TableLab, TableSpace, best_so_far

from ft_bench.errors import BudgetExhausted
from ft_bench.plan import DataRecipe, Variant
from ft_bench.protocols import Agent, Brief
from ft_bench_baselines.grid import Grid, GridOptions
from ft_bench_baselines.random_search import RandomSearch, RandomSearchOptions
from ft_bench_baselines.tpe import Tpe, TpeOptions
from trex_agent.agent import Trex, TrexOptions

ITERATIONS, VARIANTS = 20, 3
TRAININGS = (ITERATIONS + 1) * VARIANTS
HERE = Path(__file__).parent
Floats = NDArray[np.float64]
_RESAMPLES = 10_000


def _trex(**options: Any) -> Callable[[TableLab], Agent]:
    given = {"confirm_top": 0, "diagnosis": "metrics", "variants": VARIANTS, **options}

    def make(lab: TableLab) -> Agent:
        return Trex(TrexOptions(**given), None, look=lab.look)

    return make


def _random(lab: TableLab) -> Agent:
    return RandomSearch(RandomSearchOptions(trainings=TRAININGS), None, look=lab.look)


def _tpe(lab: TableLab) -> Agent:
    return Tpe(TpeOptions(trainings=TRAININGS), None, look=lab.look)


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
    "grid": _grid,
    "random_search": _random,
    "tpe": _tpe,
    "trex, rules alone": _trex(surrogate=False),
    "trex (UCT default)": _trex(),
    "trex, paper preset": _trex(search="paper"),
    "trex, gbfs": _trex(search="gbfs"),
    "trex, gbfs-cap": _trex(search="gbfs-cap"),
    "trex, ses": _trex(search="ses"),
    "trex, random node": _trex(search="random"),
}


def replay(table: Table, space: TableSpace, agent: str, seed: int) -> Floats:
    """One search: best so far, its test score, and seconds after each training."""
    lab = TableLab(table, space, seed, ITERATIONS)
    with suppress(BudgetExhausted):
        AGENTS[agent](lab).run(lab)  # type: ignore[arg-type]
    return best_so_far(lab.trainings, TRAININGS)


def main() -> None:
    """Replay, and write down what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--tasks", default=",".join(LANDSCAPES))
    parser.add_argument("--agents", default="")
    parser.add_argument("--tables", type=Path, default=HERE)
    parser.add_argument("--out", type=Path, default=HERE)
    options = parser.parse_args()
    names = [n for n in AGENTS if any(part in n for part in options.agents.split(","))]
    for task in options.tasks.split(","):
        table = load(task, options.tables)
        space = TableSpace(table)
        for name in names:
            started = time.perf_counter()
            curves = np.stack([replay(table, space, name, seed) for seed in range(options.seeds)])
            seconds = time.perf_counter() - started
            area = curves[:, :, 0].mean()
            last = curves[:, -1].mean(axis=0)
            print(f"{task} {name}: area {area:.4f}, end {last}, {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
