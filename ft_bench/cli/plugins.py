"""`ft-bench plugins`: what is registered, and by whom."""

from __future__ import annotations

from typing import Annotated, get_args

import typer

from ft_bench.cli._output import Format, Output, table

__all__ = ["app"]

app = typer.Typer(help="List plug-ins.", no_args_is_help=True)


@app.callback()
def plugins() -> None:
    """List plug-ins."""


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
