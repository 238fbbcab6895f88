"""Replay: real agents over tabulated trainings, hundreds of seeds in seconds.

    python benchmarks/search/replay.py [--seeds 200] [--tasks mini,sst2] [--agents trex,tpe]

Every agent is the one that competes in a run, with 20 iterations of 3 variants below a root of 3:
63 trainings at most. Under each seed all agents are judged by the same validation items, drawn
with replacement. Writes `outcome.json`, `curves.svg` and `tables.md`. The area is the mean over the
63 trainings of the best validation score so far; a search that ended early stays where it was.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from agents import AGENTS, DEFAULT, ITERATIONS, TRAININGS
from figure import figure
from landscape import LANDSCAPES
from report import Replayed, exhaustive, interval, report, summary
from table import Table, load
from table_lab import TableLab, TableSpace, best_so_far

from ft_bench.errors import BudgetExhausted

HERE = Path(__file__).parent
_RIVALS = ("grid", "random_search", "tpe")
_PIECES = 8
Where = tuple[str, Path, str, str]
"""A task, the folder of its table, and the slot and level that are fixed, "" where none is."""


@cache
def space_of(where: Where) -> TableSpace:
    """The table and its moves; one a process."""
    task, folder, slot, level = where
    if slot:
        return TableSpace(space_of((task, folder, "", "")).table.fixed(slot, level))
    return TableSpace(load(task, folder))


def replay(space: TableSpace, agent: str, seed: int, *, resampled: bool = True) -> TableLab:
    """One search to its end."""
    lab = TableLab(space.table, space, seed, ITERATIONS, resampled=resampled)
    with suppress(BudgetExhausted):
        AGENTS[agent](lab).run(lab)  # type: ignore[arg-type]
    return lab


def replay_some(where: Where, agent: str, seeds: Sequence[int]) -> Replayed:
    """One agent under some seeds."""
    labs = [replay(space_of(where), agent, seed) for seed in seeds]
    return Replayed(
        np.stack([best_so_far(lab.trainings, TRAININGS) for lab in labs]),
        np.array([len(lab.trainings) for lab in labs], dtype=float),
        np.array([sum(not made.reused for made in lab.trainings) for lab in labs], dtype=float),
    )


def replay_all(pool: Executor, where: Where, agent: str, seeds: int) -> Replayed:
    """One agent under many seeds, side by side."""
    size = -(-seeds // _PIECES)
    parts = [range(start, min(seeds, start + size)) for start in range(0, seeds, size)]
    made = [pool.submit(replay_some, where, agent, part) for part in parts]
    return Replayed.together([part.result() for part in made])


def run(pool: Executor, task: str, names: Sequence[str], tables: Path, seeds: int) -> Iterator[Any]:
    """All agents on one task; what is known so far after each of them."""
    where = (task, tables, "", "")
    whole = exhaustive(space_of(where).table)
    made: dict[str, Replayed] = {}
    for name in names:
        started = time.perf_counter()
        made[name] = replay_all(pool, where, name, seeds)
        seconds = time.perf_counter() - started
        print(f"{task}, {name}: {interval(made[name].areas)}, {seconds:.1f} s", flush=True)
        rival = made.get(DEFAULT, made[names[0]])
        yield {
            "exhaustive": whole,
            "agents": {known: summary(item, rival, whole) for known, item in made.items()},
            "curves": {
                known: [round(float(value), 5) for value in item.curves[:, :, 0].mean(axis=0)]
                for known, item in made.items()
            },
        }


def parts_of(
    pool: Executor, task: str, tables: Path, seeds: int
) -> dict[str, dict[str, list[float]]]:
    """TREX minus its rivals in every smaller space where one slot stays at one level."""
    table: Table = space_of((task, tables, "", "")).table
    found: dict[str, dict[str, list[float]]] = {}
    for slot in table.landscape.slots:
        for level in slot.levels:
            where = (task, tables, slot.name, level.name)
            trex = replay_all(pool, where, DEFAULT, seeds).areas
            found[level.name] = {
                rival: interval(trex - replay_all(pool, where, rival, seeds).areas)
                for rival in _RIVALS
            }
            print(f"{task}, {level.name}: {found[level.name]}", flush=True)
    return found


def write(outcome: Mapping[str, Any], out: Path) -> None:
    """The three files of an outcome."""
    panels = {
        task: {name: np.array(curve) for name, curve in found["curves"].items()}
        for task, found in outcome.items()
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "outcome.json").write_text(json.dumps(outcome, indent=1) + "\n", "utf-8")
    (out / "curves.svg").write_text(figure(panels), "utf-8")
    (out / "tables.md").write_text(report(outcome), "utf-8")


def main() -> None:
    """Replay, and write down what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--tasks", default=",".join(LANDSCAPES))
    parser.add_argument("--agents", default="", help="parts of names, with commas")
    parser.add_argument("--parts", type=int, default=0, help="seeds in each smaller space")
    parser.add_argument("--tables", type=Path, default=HERE)
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    names = [n for n in AGENTS if any(part in n for part in options.agents.split(","))]
    outcome: dict[str, Any] = {}
    # Threads of a linear algebra on matrices this small would only wait for each other.
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, spawned) as pool:
        for task in options.tasks.split(","):
            for found in run(pool, task, names, options.tables, options.seeds):
                outcome[task] = found
            if options.parts:
                parts = parts_of(pool, task, options.tables, options.parts)
                outcome[task]["parts"] = parts
            write(outcome, options.out)


if __name__ == "__main__":
    main()
