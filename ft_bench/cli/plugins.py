"""`ft-bench plugins`: what is registered, by whom, and whether it keeps its contract."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, get_args

import typer

from ft_bench.cli._output import Format, Output, table

__all__ = ["app"]

app = typer.Typer(help="List and check plug-ins.", no_args_is_help=True)


@app.callback()
def plugins() -> None:
    """List and check plug-ins."""


@app.command("list")
def list_plugins(
    format: Annotated[Format, typer.Option(help="auto, human, json or quiet.")] = "auto",
) -> int:
    """List agents, tasks, scorers and backends."""
    from ft_bench import registry

    rows = [
        (group, name, point.value, registry.origin(group, name))
        for group in get_args(registry.Group)
        for name, point in sorted(registry.available(group).items())
    ]
    header = ("group", "name", "object", "from")
    data = [dict(zip(header, row, strict=True)) for row in rows]
    Output(format).data(data, table(header, rows))
    return 0


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="A plug-in, agent.toml, file.py:Class, or a door.")],
    kind: Annotated[
        str | None, typer.Option(help="agent, scorer or task, where a name is several.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("-A", help="Option of the agent, key=value.")
    ] = None,
    isolation: Annotated[str, typer.Option(help="none, process or bwrap.")] = "none",
    data_dir: Annotated[
        Path | None, typer.Option(help="Upstream files of a task, <task>/<file>.")
    ] = None,
    format: Annotated[Format, typer.Option(help="auto, human, json or quiet.")] = "auto",
) -> int:
    """Run the shipped contract test on a plug-in and say what fails."""
    from ft_bench.cli.eval import pairs
    from ft_bench.testing.check import check_plugin, kind_of

    found = kind_of(name, kind)
    out = Output(format)
    out.say(f"checking the {found} {name}; a minute or so")
    findings = check_plugin(
        name,
        found,
        options=pairs(option, "-A"),
        isolation=isolation,
        data_dir=data_dir.resolve() if data_dir else None,
    )
    shown = [("ok" if item.holds else "FAILS", item.says, item.why) for item in findings]
    failed = sum(not item.holds for item in findings)
    words = f"{len(findings) - failed} of {len(findings)} hold"
    data = {"plugin": name, "kind": found, "failed": failed, "tests": [asdict(f) for f in findings]}
    out.data(data, f"{table(('', 'the contract', 'why'), shown)}\n\n{words}")
    return 1 if failed else 0
