"""Best so far at equal trainings: TREX offline against grid and random search, real runs.

    python benchmarks/best_so_far.py run mini sst2 --runs-dir DIR [--data-dir DATA] [--trainings 12]
    python benchmarks/best_so_far.py table mini sst2 --runs-dir DIR

`run` starts `ft-bench eval` for every agent and seed, one after the other; a run that is complete
is answered from its card, so the command resumes. `table` reads the journals and writes
`results/best_so_far/<task>.json`, a figure beside it, and `README.md` with both tables. No run
confirms its choice under further seeds, so that every training is one of the search.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ft_bench.record import Card
from ft_bench.stats import mean_interval
from ft_bench.store import RunPaths, read_card, read_events, read_manifest
from ft_bench.tree import Tree

OUT = Path("results/best_so_far")
AGENTS = ("trex", "grid", "random_search")
PER_NODE = 3
WORK = 1.5
ROWS = 2_000
TASKS = {"mini": (), "sst2": ("--base-model", "tiny")}


@dataclass(frozen=True)
class Curve:
    """An agent's best validation score after 1, 2, ... trainings: the mean over seeds."""

    agent: str
    seeds: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]
    test: list[float]
    test_mean: float
    test_low: float
    test_high: float
    trainings: list[int]


def options(agent: str, trainings: int) -> list[str]:
    """What makes an agent train so many configurations, three a node, and not one more."""
    given = {"variants": PER_NODE}
    if agent == "trex":
        given |= {"root_variants": PER_NODE, "confirm_top": 0, "max_work": WORK, "patience": 99}
    else:
        given |= {"trainings": trainings}
    if agent == "random_search":
        given |= {"max_work": WORK}
    return [part for name, value in given.items() for part in ("-A", f"{name}={value}")]


def command(task: str, agent: str, seed: int, asked: argparse.Namespace) -> list[str]:
    """The `ft-bench eval` of one run."""
    data = ["--data-dir", asked.data_dir] if asked.data_dir else []
    return [
        *(sys.executable, "-m", "ft_bench.cli.main", "eval", task, "--agent", agent),
        *("--seed", str(seed), "--runs-dir", asked.runs_dir, "--format", "quiet"),
        *("--budget.iterations", str(asked.trainings // PER_NODE - 1)),
        *("--budget.samples", str(ROWS), "--slots", str(asked.slots)),
        *TASKS[task],
        *data,
        *options(agent, asked.trainings),
    ]


def run_all(asked: argparse.Namespace) -> int:
    """Every seed in turn, so that what is done when time ends is a whole comparison."""
    code = 0
    for seed in range(asked.seeds):
        for task in asked.tasks:
            for agent in asked.agents:
                done = subprocess.run(command(task, agent, seed, asked), check=False)
                print(task, agent, seed, "exit", done.returncode, flush=True)
                code = max(code, done.returncode)
    return code


def best_so_far(paths: RunPaths, direction: Any) -> list[float]:
    """The best validation score after each training, in the order of nodes and variants.

    A training that failed leaves the best where it was; the base stands before the first.
    """
    tree = Tree.of((event.body for event in read_events(paths.events)[0]), direction)
    pick = max if direction == "max" else min
    best = tree.base.value if tree.base else 0.0
    curve = []
    for node in tree:
        for outcome in node.outcomes:
            if outcome.score is not None:
                best = pick(best, outcome.score.value)
            if outcome.score is not None or outcome.failure is not None:
                curve.append(best)
    return curve


def read_curve(agent: str, runs: Sequence[tuple[RunPaths, Card]]) -> Curve:
    """One agent's runs as one curve; it ends with the shortest of them."""
    runs = sorted(runs, key=lambda run: run[1].seed)
    curves = [best_so_far(paths, card.direction) for paths, card in runs]
    items = runs[0][1].base_validation.n
    points = [mean_of(values, items) for values in zip(*curves, strict=False)]
    test = [card.test.value for _, card in runs]
    mean, low, high = mean_of(test, runs[0][1].test.n)
    return Curve(
        agent=agent,
        seeds=[card.seed for _, card in runs],
        mean=[point[0] for point in points],
        low=[point[1] for point in points],
        high=[point[2] for point in points],
        test=test,
        test_mean=mean,
        test_low=low,
        test_high=high,
        trainings=[len(curve) for curve in curves],
    )


def mean_of(values: Sequence[float], items: int) -> tuple[float, float, float]:
    """The mean over seeds with its 95 % interval, within [0, 1]: Student's t plus the items'."""
    p = min(1.0, max(0.0, sum(values) / len(values)))
    mean, ci = mean_interval(values, p * (1 - p) / items)
    return round(mean, 5), round(max(0.0, ci.low), 5), round(min(1.0, ci.high), 5)


def find(task: str, runs_dir: Path) -> dict[str, list[tuple[RunPaths, Card]]]:
    """The finished runs of a task, by agent."""
    found: dict[str, list[tuple[RunPaths, Card]]] = {}
    for path in sorted(runs_dir.glob("*/card.json")):
        paths = RunPaths(path.parent)
        if read_manifest(paths).task == task:
            card = read_card(paths.card)
            found.setdefault(card.agent, []).append((paths, card))
    return found


def compare(curves: Sequence[Curve]) -> list[str]:
    """TREX against each other agent on the sealed test, in a sentence each; a loss is one too."""
    by_agent = {curve.agent: curve for curve in curves}
    trex = by_agent.get("trex")
    return [
        _against(trex, other)
        for name, other in by_agent.items()
        if trex is not None and name != "trex"
    ]


def _against(trex: Curve, other: Curve) -> str:
    shared = [seed for seed in trex.seeds if seed in other.seeds]
    deltas = [
        trex.test[trex.seeds.index(seed)] - other.test[other.seeds.index(seed)] for seed in shared
    ]
    mean, ci = mean_interval(deltas)
    ends = f"{mean:+.3f} ({ci.low:+.3f} to {ci.high:+.3f}, {len(shared)} seeds)"
    if len(shared) < 2:
        return f"TREX less {other.agent} on test: {mean:+.3f}, one seed: nothing can be said."
    if ci.low > 0:
        return f"TREX wins over {other.agent} on test: {ends}."
    if ci.high < 0:
        return f"TREX loses to {other.agent} on test: {ends}."
    side = "ahead of" if mean > 0 else "behind"
    return f"TREX is {side} {other.agent} on test, but the interval holds 0: {ends}."


def write_tables(asked: argparse.Namespace) -> int:
    """Read every journal; write the data, the figures and the page."""
    OUT.mkdir(parents=True, exist_ok=True)
    page = [HEAD.format(per_node=PER_NODE, rows=ROWS, work=WORK)]
    for task in asked.tasks:
        found = find(task, Path(asked.runs_dir))
        curves = [read_curve(agent, found[agent]) for agent in AGENTS if agent in found]
        if not curves:
            print(f"no finished run of {task} below {asked.runs_dir}", file=sys.stderr)
            continue
        sentences = compare(curves)
        data = {"task": task, "curves": [asdict(curve) for curve in curves], "words": sentences}
        (OUT / f"{task}.json").write_text(json.dumps(data, indent=1) + "\n")
        (OUT / f"{task}.svg").write_text(figure(task, curves))
        page += section(task, curves, sentences)
    (OUT / "README.md").write_text("\n".join(page) + "\n")
    print("\n".join(page))
    return 0


HEAD = """# Best so far at equal trainings

Real runs by `ft-bench eval` on CPU: {per_node} variants a node, pools capped at {rows:,} rows, no
training over {work} times the baseline's rows seen, no confirmation. Rerun with
`python benchmarks/best_so_far.py run mini sst2 --runs-dir DIR --data-dir DATA`, then `table`.
Intervals are 95 %: Student's t over the seeds, plus the items' own variance; with three seeds they
are wide."""


def _range(counts: Sequence[int]) -> str:
    """How many trainings a run had: a node may hold one less where little is left to try."""
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def section(task: str, curves: Sequence[Curve], sentences: Sequence[str]) -> list[str]:
    """A task's table, its figure and what follows from it."""
    rows = [
        f"| {c.agent} | {len(c.seeds)} | {_range(c.trainings)} | {c.mean[-1]:.3f} | "
        f"{c.test_mean:.3f} | {c.test_low:.3f} to {c.test_high:.3f} | "
        f"{', '.join(f'{value:.3f}' for value in c.test)} |"
        for c in curves
    ]
    return [
        f"\n## {task}\n",
        "| agent | seeds | trainings | best on validation | mean on test | 95 % interval "
        "| by seed |",
        "|---|---|---|---|---|---|---|",
        *rows,
        f"\n![best so far on {task}]({task}.svg)\n",
        *(f"- {sentence}" for sentence in sentences),
    ]


WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP = 680, 360, 56, 150, 44, 16
COLOURS = ("#0b6e4f", "#b3541e", "#3b5bdb")


def figure(task: str, curves: Sequence[Curve]) -> str:
    """The curves with their bands as SVG."""
    low = min(min(curve.low) for curve in curves)
    high = max(max(curve.high) for curve in curves)
    most = max(len(curve.mean) for curve in curves)
    span = max(high - low, 1e-6)

    def at(number: int, value: float) -> str:
        x = LEFT + (WIDTH - LEFT - RIGHT) * (number - 1) / max(1, most - 1)
        y = TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / span
        return f"{x:.1f},{y:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="12"><title>Best so far on {task}</title>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *ticks(low, high, most, at),
    ]
    for curve, colour in zip(curves, COLOURS, strict=False):
        upper = [at(n, value) for n, value in enumerate(curve.high, start=1)]
        lower = [at(n, value) for n, value in enumerate(curve.low, start=1)]
        line = [at(n, value) for n, value in enumerate(curve.mean, start=1)]
        band = " ".join([*upper, *lower[::-1]])
        x, y = line[-1].split(",")
        parts += [
            f'<polygon points="{band}" fill="{colour}" opacity="0.12"/>',
            f'<polyline points="{" ".join(line)}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<text x="{float(x) + 6:.1f}" y="{float(y) + 4:.1f}" fill="{colour}">'
            f"{curve.agent} {curve.mean[-1]:.3f}</text>",
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def ticks(low: float, high: float, most: int, at: Any) -> list[str]:
    """Both axes in words."""
    parts = []
    for step in range(5):
        value = low + (high - low) * step / 4
        x, y = at(1, value).split(",")
        parts.append(
            f'<text x="{float(x) - 8}" y="{float(y) + 4}" text-anchor="end">{value:.2f}</text>'
        )
        parts.append(f'<line x1="{x}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>')
    for number in range(1, most + 1):
        x, _ = at(number, low).split(",")
        y = HEIGHT - BOTTOM + 18
        parts.append(f'<text x="{x}" y="{y}" text-anchor="middle">{number}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    label = "trainings; best validation score so far, mean over seeds, 95 % band"
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{label}</text>')
    return parts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("tasks", nargs="+", choices=tuple(TASKS))
    parser.add_argument("--runs-dir", required=True)
    parser.add_argument("--data-dir", default="")
    parser.add_argument("--trainings", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--agents", nargs="+", default=list(AGENTS), choices=AGENTS)
    asked = parser.parse_args()
    return run_all(asked) if asked.what == "run" else write_tables(asked)


if __name__ == "__main__":
    sys.exit(main())
