"""The paper's three ablations on a small task: search policy, AIDP, bad-case analysis.

    python benchmarks/ablations.py run --runs-dir DIR [--backends offline scripted] [--seeds 3]
    python benchmarks/ablations.py table --runs-dir DIR

Every arm is TREX with one option changed. `offline` plans by rules; `scripted` is a language model
that answers by a script over HTTP (`ft_bench.testing.scripted_llm`): it shows that the arms run
with a model, and nothing about how good one is, as the script answers the same in all of them. A
run that is complete is answered from its card, so `run` resumes. `table` writes
`results/ablations/ablations.json` and a page.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ft_bench.record import Card, RunManifest
from ft_bench.stats import mean_interval
from ft_bench.store import RunPaths, read_card, read_manifest

OUT = Path("results/ablations")
FULL: Mapping[str, str] = {"search": "mcts", "aidp": "true", "diagnosis": "full"}
ARMS: Mapping[str, Mapping[str, str]] = {
    "TREX as it is": {},
    "search: GBFS": {"search": "gbfs"},
    "search: SES": {"search": "ses"},
    "without AIDP": {"aidp": "false"},
    "without bad-case analysis": {"diagnosis": "metrics"},
}


def command(asked: argparse.Namespace, arm: str, seed: int, backend: Sequence[str]) -> list[str]:
    """The `ft-bench eval` of one run."""
    options = {**FULL, **ARMS[arm], "variants": "2", "root_variants": "2", "confirm_top": "0"}
    options["max_work"] = "1"
    chosen = [part for name, value in options.items() for part in ("-A", f"{name}={value}")]
    return [
        *(sys.executable, "-m", "ft_bench.cli.main", "eval", asked.task, "--agent", "trex"),
        *("--seed", str(seed), "--runs-dir", asked.runs_dir, "--format", "quiet"),
        *("--budget.iterations", str(asked.iterations), "--budget.samples", str(asked.rows)),
        *chosen,
        *backend,
    ]


@contextmanager
def backend_of(name: str) -> Iterator[list[str]]:
    """The flags of a backend, which is there as long as the block lasts."""
    if name == "offline":
        yield ["--backend", "offline"]
        return
    from ft_bench.testing.scripted_llm import serve
    from ft_bench.testing.scripts import trex_on_mini

    with serve(trex_on_mini) as server:
        yield ["--backend", "local", "-B", f"base_url={server.url}"]


def run_all(asked: argparse.Namespace) -> int:
    """Every seed in turn, so that what is done when time ends is a whole comparison."""
    code = 0
    for name in asked.backends:
        with backend_of(name) as backend:
            for seed in range(asked.seeds):
                for arm in ARMS:
                    done = subprocess.run(command(asked, arm, seed, backend), check=False)
                    print(name, arm, seed, "exit", done.returncode, flush=True)
                    code = max(code, done.returncode)
    return code


def arm_of(run: RunManifest) -> str | None:
    """Which arm a run is, None where it is none."""
    held = {name: str(run.options.get(name)).lower() for name in FULL}
    for arm, changed in ARMS.items():
        if held == {**FULL, **changed}:
            return arm
    return None


def collect(task: str, runs_dir: Path) -> dict[tuple[str, str], list[Card]]:
    """The cards of finished runs by backend and arm."""
    found: dict[tuple[str, str], list[Card]] = {}
    for path in sorted(runs_dir.glob("*/card.json")):
        run = read_manifest(RunPaths(path.parent))
        arm = arm_of(run)
        if run.task == task and run.agent == "trex" and arm is not None:
            backend = "offline" if run.backend == "offline" else "scripted"
            found.setdefault((backend, arm), []).append(read_card(path))
    return found


def row_of(backend: str, arm: str, cards: Sequence[Card]) -> dict[str, Any]:
    """An arm's scores on the sealed test: mean over seeds with its 95 % interval."""
    cards = sorted(cards, key=lambda card: card.seed)
    values = [card.test.value for card in cards]
    p = min(1.0, max(0.0, sum(values) / len(values)))
    mean, ci = mean_interval(values, p * (1 - p) / cards[0].test.n)
    return {
        "backend": backend,
        "arm": arm,
        "seeds": [card.seed for card in cards],
        "test": values,
        "mean": round(mean, 5),
        "low": round(ci.low, 5),
        "high": round(ci.high, 5),
        "trainings": [card.trainings for card in cards],
        "selected": [card.selected_node for card in cards],
        "failed nodes": sum(card.nodes_failed for card in cards),
    }


def write_table(asked: argparse.Namespace) -> int:
    """Read every card; write the data and the page."""
    found = collect(asked.task, Path(asked.runs_dir))
    rows = [
        row_of(backend, arm, found[backend, arm])
        for backend in ("offline", "scripted")
        for arm in ARMS
        if (backend, arm) in found
    ]
    if not rows:
        print(f"no finished arm of {asked.task} below {asked.runs_dir}", file=sys.stderr)
        return 1
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "ablations.json").write_text(json.dumps({"task": asked.task, "rows": rows}, indent=1))
    (OUT / "README.md").write_text(page(asked.task, rows))
    print(page(asked.task, rows))
    return 0


def page(task: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The table in Markdown."""
    seeds = max(len(row["seeds"]) for row in rows)
    most = max(max(row["trainings"]) for row in rows)
    lines = [
        "# Ablations\n",
        f"TREX on `{task}` with one option changed, at most {most} small trainings a run and "
        f"{seeds} seed{'s' if seeds > 1 else ''}: the size of a smoke test, by "
        "`benchmarks/ablations.py`.\n",
        "What it shows: every arm of the paper's three ablations runs to its end on real "
        "trainings, by rules and with a model over HTTP. What it does not show: which arm is "
        "better. One seed has no spread between seeds in it, so each interval is of the test "
        "items alone and too narrow; with this few nodes a search policy has hardly a choice to "
        "make; and the scripted model answers the same in every arm, so its rows say nothing of "
        "models.\n",
        *_all_alike(rows),
        "| backend | arm | mean on test | 95 % interval | seeds | trainings | selected node | "
        "failed nodes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['backend']} | {row['arm']} | {row['mean']:.3f} | {row['low']:.3f} to "
        f"{row['high']:.3f} | {len(row['seeds'])} | {max(row['trainings'])} | "
        f"{', '.join(map(str, row['selected']))} | {row['failed nodes']} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _all_alike(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A warning where every arm ended with its baseline, so that nothing of it was tried."""
    if any(node != 0 for row in rows for node in row["selected"]):
        return []
    return [
        "**In every run the baseline stayed the best node**, so all rows score the same model: at "
        "this size none of what the arms differ in has come to bear.\n"
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--task", default="mini")
    parser.add_argument("--runs-dir", required=True)
    parser.add_argument("--backends", nargs="+", default=["offline", "scripted"])
    parser.add_argument("--iterations", type=int, default=2)
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
    return run_all(asked) if asked.what == "run" else write_table(asked)


if __name__ == "__main__":
    sys.exit(main())
