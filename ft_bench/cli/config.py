"""`ft-bench config`: what is configured, and where each value comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ft_bench.cli._output import Format, Output, table

__all__ = ["app"]

app = typer.Typer(help="Show the configuration.", no_args_is_help=True)


@app.callback()
def config() -> None:
    """Show the configuration."""


@app.command("show")
def show(
    sources: Annotated[bool, typer.Option("--sources", help="Where values come from.")] = False,
    file: Annotated[Path | None, typer.Option("--config", help="TOML file.")] = None,
    format: Annotated[Format, typer.Option(help="auto, human, json or quiet.")] = "auto",
) -> int:
    """Show every key with its value."""
    from ft_bench.config import keys, resolve

    resolved, origin = resolve({}, file=file)
    nested = json.loads(resolved.model_dump_json())
    values: dict[str, Any] = {}
    for key in keys():
        section, _, name = key.rpartition(".")
        values[key] = nested[section][name] if section else nested[name]
    rows = [(key, _shown(values[key]), *([origin[key]] if sources else [])) for key in keys()]
    header = ("key", "value", *(["source"] if sources else []))
    data = {
        key: {"value": values[key], "source": origin[key]} if sources else values[key]
        for key in keys()
    }
    Output(format).data(data, table(header, rows))
    return 0


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
