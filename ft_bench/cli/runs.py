"""`ft-bench runs`: list, show, stop and review runs."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ft_bench.cli._output import Format, Output, table
from ft_bench.cli.folder import find_run, find_runs, runs_folder
from ft_bench.cli.review import review
from ft_bench.cli.steer import register
from ft_bench.errors import FtBenchError

if TYPE_CHECKING:
    from ft_bench.store import RunPaths

__all__ = ["app"]

app = typer.Typer(help="List, show, steer, stop and review runs.", no_args_is_help=True)
app.command("review")(review)
register(app)
RunsDir = Annotated[str | None, typer.Option(help="Where runs are [results/runs].")]
Shape = Annotated[Format, typer.Option(help="auto, human, json or quiet.")]


def _summary(paths: RunPaths) -> dict[str, Any]:
    from ft_bench.store import holder, read_card, read_manifest

    manifest = read_manifest(paths)
    state = "running" if holder(paths) is not None else "interrupted"
    summary: dict[str, Any] = {
        "run": paths.root.name,
        "task": manifest.task,
        "agent": manifest.agent,
        "seed": manifest.seed,
        "state": state,
        "score": None,
        "gain": None,
    }
    if paths.card.exists():
        card = read_card(paths.card)
        summary |= {"state": card.status, "score": card.test.value, "gain": card.gain.delta}
    return summary


@app.command("list")
def list_runs(runs_dir: RunsDir = None, format: Shape = "auto") -> int:
    """List runs, newest first."""
    folder = runs_folder(runs_dir)
    rows = [_summary(paths) for paths in find_runs(folder)]
    header = ("run", "state", "test", "gain")
    shown = [(r["run"], r["state"], _number(r["score"]), _number(r["gain"])) for r in rows]
    Output(format).data(rows, table(header, shown) if rows else f"No runs in {folder}.")
    return 0


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


@app.command("show")
def show(run: str, runs_dir: RunsDir = None, format: Shape = "auto") -> int:
    """Show one run: its card, or how far it has come."""
    from ft_bench.store import read_card, read_events
    from ft_bench.tree import Tree

    paths = find_run(run, runs_dir)
    out = Output(format)
    if paths.card.exists():
        from ft_bench.report.card import card_text

        card = read_card(paths.card)
        out.data(card.model_dump(mode="json"), card_text(card))
        return 0
    events, _ = read_events(paths.events)
    tree = Tree.of(event.body for event in events)
    summary = _summary(paths) | {"events": len(events), "nodes": len(tree)}
    out.data(summary, "\n".join(f"{key:9} {value}" for key, value in summary.items()))
    return 0


@app.command("stop")
def stop(
    run: str,
    runs_dir: RunsDir = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for it to end.")] = 30.0,
) -> int:
    """Stop a running run; the same eval command takes it up again."""
    from ft_bench.store import holder

    paths = find_run(run, runs_dir)
    pid = holder(paths)
    if pid is None:
        raise FtBenchError(f"{paths.root.name} is not running; nothing to stop")
    os.kill(pid, signal.SIGINT)
    until = time.monotonic() + wait
    while holder(paths) is not None:
        if time.monotonic() > until:
            raise FtBenchError(
                f"{paths.root.name} (process {pid}) did not end within {wait:g} s; "
                f"`kill -9 {pid}` loses nothing that was finished"
            )
        time.sleep(0.1)
    Output("human").say(f"{paths.root.name} stopped; the same eval command takes it up again")
    return 0
