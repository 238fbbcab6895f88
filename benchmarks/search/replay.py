"""Replay: real agents over tabulated trainings, hundreds of seeds in minutes.

    python benchmarks/search/replay.py [--seeds 200] [--tasks mini,sst2] [--agents trex,tpe]

Every agent is the one that competes in a run, with 20 iterations of 3 variants below a root of 3:
63 trainings at most. Writes `outcome.json`, `curves.svg` and `tables.md`. The area is the mean
over the 63 trainings of the best validation score so far; a search that ended early stays where it
was.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np
from figure import figure
from landscape import LANDSCAPES
from numpy.typing import NDArray
from table import Entry, Table, load
from table_lab import TableLab, TableSpace, best_so_far

from ft_bench.digest import derive_seed, digest
from ft_bench.errors import BudgetExhausted
from ft_bench.plan import DataRecipe, Variant
from ft_bench.protocols import Agent, Brief
from ft_bench_baselines.factorial import Factorial, Point
from ft_bench_baselines.grid import Grid, GridOptions
from ft_bench_baselines.random_search import RandomSearch, RandomSearchOptions
from ft_bench_baselines.tpe import Tpe, TpeOptions
from trex_agent.agent import Trex, TrexOptions

ITERATIONS, VARIANTS = 20, 3
TRAININGS = (ITERATIONS + 1) * VARIANTS
HERE = Path(__file__).parent
Floats = NDArray[np.float64]
_RESAMPLES = 10_000
SHOWN = (3, 9, 18, 30, 63)
DEFAULT = "trex (UCT default)"


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
        self._allowed: dict[Point, str] | None = None

    def accept(self, factorial: Factorial, point: Point, known: set[str]) -> Point | None:
        """The nearest that was tabulated and not tried; None where all were."""
        if self._allowed is None:
            self._allowed = _points_of(factorial)
        left = [other for other, key in self._allowed.items() if key not in known]
        ordered = [decision.ordered for decision in factorial.decisions]
        return min(left, key=lambda other: _distance(point, other, ordered), default=None)


def _points_of(factorial: Factorial) -> dict[Point, str]:
    sizes = [range(len(decision.options)) for decision in factorial.decisions]
    return {
        point: digest(list(factorial.configuration(point)))
        for point in product(*sizes)
        if factorial.allows(point)
    }


def _distance(point: Point, other: Point, ordered: Sequence[bool]) -> int:
    pairs = zip(point, other, ordered, strict=True)
    return sum(abs(a - b) if near else int(a != b) for a, b, near in pairs)


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


@dataclass(frozen=True)
class Replayed:
    """The searches of one agent on one task.

    `curves` has shape (seeds, trainings, 3): best validation so far, its test score, device-seconds
    spent. `trained` and `built` count trainings and datasets by seed.
    """

    curves: Floats
    trained: Floats
    built: Floats

    @property
    def areas(self) -> Floats:
        """Mean best so far over the trainings, by seed."""
        return cast(Floats, self.curves[:, :, 0].mean(axis=1))


def replay(table: Table, space: TableSpace, agent: str, seed: int) -> TableLab:
    """One search to its end."""
    lab = TableLab(table, space, seed, ITERATIONS)
    with suppress(BudgetExhausted):
        AGENTS[agent](lab).run(lab)  # type: ignore[arg-type]
    return lab


def replay_all(table: Table, space: TableSpace, agent: str, seeds: int) -> Replayed:
    """One agent under many seeds."""
    labs = [replay(table, space, agent, seed) for seed in range(seeds)]
    return Replayed(
        np.stack([best_so_far(lab.trainings, TRAININGS) for lab in labs]),
        np.array([len(lab.trainings) for lab in labs], dtype=float),
        np.array([sum(not made.reused for made in lab.trainings) for lab in labs], dtype=float),
    )


def interval(values: Floats) -> list[float]:
    """Mean with its 95 % bootstrap interval over seeds."""
    rng = np.random.default_rng(derive_seed("replay", len(values)))
    picked = rng.integers(len(values), size=(_RESAMPLES, len(values)))
    low, high = np.quantile(values[picked].mean(axis=1), (0.025, 0.975))
    return [round(float(value), 5) for value in (values.mean(), low, high)]


def standard_error(entry: Entry) -> float:
    """Of a validation score, from its items."""
    assert entry.influence is not None
    return float(np.sqrt((entry.influence**2).sum()))


def exhaustive(table: Table) -> dict[str, float]:
    """Every point trained once: its best, and what that costs."""
    first = [found[0] for found in table.by_point.values()]
    best = max(first, key=lambda entry: entry.score or 0.0)
    return {
        "trainings": len(first),
        "validation": float(best.score or 0.0),
        "test": float(best.row["test"]),
        "device_seconds": round(sum(entry.seconds for entry in first), 1),
        "standard_error": round(standard_error(best), 5),
    }


def summary(made: Replayed, rival: Replayed, whole: Mapping[str, float]) -> dict[str, Any]:
    """What is reported of an agent; `rival` is TREX's default."""
    near = made.curves[:, :, 0] >= whole["validation"] - whole["standard_error"]
    reached = near.any(axis=1)
    first = near.argmax(axis=1)
    spent = made.curves[np.arange(len(first)), first, 2][reached]
    seeds = min(len(made.areas), len(rival.areas))
    return {
        "seeds": len(made.areas),
        "area": interval(made.areas),
        "trex_minus_this": interval(rival.areas[:seeds] - made.areas[:seeds]),
        "best_after": {str(n): interval(made.curves[:, n - 1, 0]) for n in SHOWN},
        "test_at_end": interval(made.curves[:, -1, 1]),
        "device_seconds": round(float(made.curves[:, -1, 2].mean()), 1),
        "reached": round(float(reached.mean()), 3),
        "device_seconds_to_reach": round(float(spent.mean()), 1) if len(spent) else None,
        "trainings": round(float(made.trained.mean()), 1),
        "datasets_built": round(float(made.built.mean()), 1),
    }


def report(outcome: Mapping[str, Any]) -> str:
    """The tables of the README."""
    parts = []
    for task, found in outcome.items():
        whole = found["exhaustive"]
        parts.append(
            f"### {task}\n\n{whole['trainings']} points. Exhaustive search: validation "
            f"{whole['validation']:.3f}, test {whole['test']:.3f}, "
            f"{whole['device_seconds']:,.0f} device-seconds; standard error of its best "
            f"{whole['standard_error']:.3f}.\n\n"
            "| agent | area, 95 % | TREX minus this, 95 % | best after "
            + " / ".join(map(str, SHOWN))
            + " | test at the end | within one standard error of the best: share of seeds, "
            "device-s | trainings, "
            "datasets built |\n|---|---|---|---|---|---|---|\n"
            + "\n".join(_row(name, item) for name, item in found["agents"].items())
        )
    return "\n\n".join(parts) + "\n"


def _row(name: str, item: Mapping[str, Any]) -> str:
    area, delta = item["area"], item["trex_minus_this"]
    best = " / ".join(f"{item['best_after'][str(n)][0]:.3f}" for n in SHOWN)
    seconds = item["device_seconds_to_reach"]
    return (
        f"| {name} | {area[0]:.4f} ({area[1]:.4f} to {area[2]:.4f}) "
        f"| {delta[0]:+.4f} ({delta[1]:+.4f} to {delta[2]:+.4f}) | {best} "
        f"| {item['test_at_end'][0]:.3f} | {item['reached']:.0%}"
        + (f", {seconds:.0f}" if seconds is not None else "")
        + f" | {item['trainings']:.0f}, {item['datasets_built']:.0f} |"
    )


def run(task: str, names: Sequence[str], tables: Path, seeds: int) -> Iterator[dict[str, Any]]:
    """All agents on one task; what is known so far after each of them."""
    table = load(task, tables)
    space, whole = TableSpace(table), exhaustive(table)
    made: dict[str, Replayed] = {}
    for name in names:
        started = time.perf_counter()
        made[name] = replay_all(table, space, name, seeds)
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
    parser.add_argument("--tables", type=Path, default=HERE)
    parser.add_argument("--out", type=Path, default=HERE)
    options = parser.parse_args()
    names = [n for n in AGENTS if any(part in n for part in options.agents.split(","))]
    outcome: dict[str, Any] = {}
    for task in options.tasks.split(","):
        for found in run(task, names, options.tables, options.seeds):
            outcome[task] = found
            write(outcome, options.out)


if __name__ == "__main__":
    main()
