"""`ft-bench eval`: run an agent on tasks; the same command again resumes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ft_bench.cli._interrupt import interruptible
from ft_bench.cli._output import Format, Output
from ft_bench.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from ft_bench.record import Card, Event
    from ft_bench.request import RunRequest

__all__ = ["evaluate", "pairs"]

_BUDGET = "Budget"
_WHERE = "Where"
Text = str | None


def evaluate(
    task: Annotated[list[str] | None, typer.Argument(help="Tasks; see `tasks list`.")] = None,
    suite: Annotated[Text, typer.Option(help="lite or all, in place of TASK.")] = None,
    agent: Annotated[Text, typer.Option(help="Name, agent.toml or file.py:Class [trex].")] = None,
    backend: Annotated[Text, typer.Option(help="The LLM behind it [offline].")] = None,
    option: Annotated[
        list[str] | None, typer.Option("-A", help="Option of the agent, key=value.")
    ] = None,
    backend_option: Annotated[
        list[str] | None, typer.Option("-B", help="Option of the backend, key=value.")
    ] = None,
    base_model: Annotated[Text, typer.Option(help="tiny, a folder, or a hub id.")] = None,
    seed: Annotated[Text, typer.Option(help="The first seed [0].")] = None,
    seeds: Annotated[Text, typer.Option(help="How many seeds [1].")] = None,
    iterations: Annotated[
        Text,
        typer.Option("--budget.iterations", help="Nodes after the root.", rich_help_panel=_BUDGET),
    ] = None,
    device_hours: Annotated[
        Text,
        typer.Option("--budget.device-hours", help="GPU or CPU slots.", rich_help_panel=_BUDGET),
    ] = None,
    wall: Annotated[
        Text, typer.Option("--budget.wall", help="e.g. 90m, 12h.", rich_help_panel=_BUDGET)
    ] = None,
    usd: Annotated[
        Text, typer.Option("--budget.usd", help="For LLM calls.", rich_help_panel=_BUDGET)
    ] = None,
    tokens: Annotated[
        Text, typer.Option("--budget.tokens", help="For LLM calls.", rich_help_panel=_BUDGET)
    ] = None,
    samples: Annotated[
        Text, typer.Option("--budget.samples", help="Rows a dataset.", rich_help_panel=_BUDGET)
    ] = None,
    variants: Annotated[
        Text, typer.Option("--budget.variants", help="Variants a node.", rich_help_panel=_BUDGET)
    ] = None,
    cluster: Annotated[Text, typer.Option(help="local.", rich_help_panel=_WHERE)] = None,
    slots: Annotated[Text, typer.Option(help="Jobs at once.", rich_help_panel=_WHERE)] = None,
    isolation: Annotated[
        Text, typer.Option(help="none, process or bwrap.", rich_help_panel=_WHERE)
    ] = None,
    job_seconds: Annotated[
        Text, typer.Option(help="Longest job [3600].", rich_help_panel=_WHERE)
    ] = None,
    data_dir: Annotated[
        Text, typer.Option(help="Upstream files, <task>/<file>.", rich_help_panel=_WHERE)
    ] = None,
    insights: Annotated[
        Text, typer.Option(help="Runs of other tasks to learn from.", rich_help_panel=_WHERE)
    ] = None,
    runs_dir: Annotated[
        Text, typer.Option(help="Runs [results/runs].", rich_help_panel=_WHERE)
    ] = None,
    cache_dir: Annotated[Text, typer.Option(help="Public cache.", rich_help_panel=_WHERE)] = None,
    private_dir: Annotated[Text, typer.Option(help="Test splits.", rich_help_panel=_WHERE)] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file [ft-bench.toml].")] = None,
    dry_run: Annotated[bool, typer.Option(help="Show the plan and what is missing.")] = False,
    fresh: Annotated[bool, typer.Option(help="Set an earlier run aside.")] = False,
    approve: Annotated[bool, typer.Option(help="Ask before each node.")] = False,
    format: Annotated[Format, typer.Option(help="auto, human, json or quiet.")] = "auto",
) -> int:
    """Run an agent on tasks under fixed budgets; the same command again resumes."""
    from ft_bench.config import resolve

    given = {
        "agent": agent,
        "backend": backend,
        "base_model": base_model,
        "seed": seed,
        "seeds": seeds,
        "cluster": cluster,
        "slots": slots,
        "isolation": isolation,
        "job_seconds": job_seconds,
        "data_dir": data_dir,
        "insights": insights,
        "runs_dir": runs_dir,
        "cache_dir": cache_dir,
        "private_dir": private_dir,
        "budget.iterations": iterations,
        "budget.device_hours": device_hours,
        "budget.wall": wall,
        "budget.usd": usd,
        "budget.tokens": tokens,
        "budget.samples": samples,
        "budget.variants": variants,
    }
    from ft_bench.suite import requests

    resolved, sources = resolve(given, file=config)
    wanted = requests(
        task or [],
        suite,
        resolved,
        options=pairs(option, "-A"),
        backend_options=pairs(backend_option, "-B"),
        fresh=fresh,
    )
    out = Output(format)
    if dry_run:
        return _dry_run(wanted, sources, out)
    return _run_all(wanted, out, approve=approve)


def pairs(items: Sequence[str] | None, flag: str) -> dict[str, str]:
    """`key=value` texts as a mapping.

    Raises:
        UsageError: for one without an equals sign, or a key given twice.
    """
    found: dict[str, str] = {}
    for item in items or ():
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise UsageError(f"{flag} {item!r} is not key=value; write for example {flag} key=1")
        if key in found:
            raise UsageError(f"{flag} {key} is given twice; give it once")
        found[key] = value
    return found


def _dry_run(wanted: Sequence[RunRequest], sources: dict[str, str], out: Output) -> int:
    from ft_bench.preview import preview

    found = [preview(request) for request in wanted]
    set_by = {key: source for key, source in sources.items() if source != "default"}
    lines = [line for item in found for line in item.lines()]
    out.data(
        {"runs": [item.data() for item in found], "set_by": set_by},
        "\n".join([*lines, *(f"{key} is set by {source}" for key, source in set_by.items())]),
    )
    return 3 if any(item.missing for item in found) else 0


def _run_all(wanted: Sequence[RunRequest], out: Output, *, approve: bool) -> int:
    from ft_bench.cli.approve import ask, check_terminal
    from ft_bench.cli.live import watching
    from ft_bench.runner import run

    if approve:
        check_terminal()
    code = 0
    for request in wanted:
        try:
            with watching(request, out, panel=not approve) as watch:
                heard = partial(_heard, watch.event)
                card = run(request, heard, watch.say, ask if approve else None)
        except KeyboardInterrupt:
            raise Interrupted(
                f"{request.task} was interrupted; nothing finished is lost, and the same command "
                "takes it up again"
            ) from None
        code = max(code, _show(card, request, out))
    return code


def _heard(show: Callable[[Event], None], event: Event) -> None:
    """An event, such as the reservation of a job that is then waited for."""
    interruptible()
    show(event)


def _show(card: Card, request: RunRequest, out: Output) -> int:
    from ft_bench.report.card import card_text
    from ft_bench.report.html import write_report
    from ft_bench.store import RunPaths

    paths = RunPaths(request.homes.runs / card.run_id)
    report = write_report(paths, paths.report)
    data: dict[str, Any] = {
        "card": json.loads(card.model_dump_json()),
        "run": str(paths.root),
        "report": str(report),
    }
    width = shutil.get_terminal_size((80, 40)).columns
    out.data(
        data, f"{card_text(card, width)}\n\nreport  {report}\ntree    ft-bench tree {paths.root}"
    )
    if card.status == "integrity":
        out.error(f"{card.run_id} counts as no gain: {', '.join(card.flags)}; see `ft-bench audit`")
        return 5
    if card.status == "no_valid_model":
        limit = card.stop_reason.startswith("budget:")
        out.error(f"{card.run_id} has no valid model: {card.stop_reason}")
        return 4 if limit else 1
    if card.status == "agent_failed":
        out.error(f"{card.run_id}: {card.stop_reason}; it is scored on its best node")
        return 1
    return 0
