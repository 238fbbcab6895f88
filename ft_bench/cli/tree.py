"""`ft-bench tree`: the search tree of a run, or one of its nodes."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ft_bench.cli._output import Format, Output
from ft_bench.cli.folder import find_run
from ft_bench.errors import UsageError

__all__ = ["show"]


def show(
    run: Annotated[str, typer.Argument(help="A run: its folder, id, or how it begins.")],
    node: Annotated[int | None, typer.Option(help="Show one node's whole round.")] = None,
    runs_dir: Annotated[str | None, typer.Option(help="Where runs are.")] = None,
    format: Annotated[Format, typer.Option(help="auto, human, json or quiet.")] = "auto",
) -> int:
    """Show the search tree of a run."""
    import shutil

    from ft_bench import registry
    from ft_bench.report.transcript import insights_text, round_of, transcript_text
    from ft_bench.report.tree_text import tree_text
    from ft_bench.store import read_card, read_events, read_manifest
    from ft_bench.tree import Tree

    paths = find_run(run, runs_dir)
    events, _ = read_events(paths.events)
    manifest = read_manifest(paths)
    direction = registry.task(manifest.task).metric.direction
    tree = Tree.of((event.body for event in events), direction)
    out = Output(format)
    width = shutil.get_terminal_size((100, 40)).columns
    bodies = [json.loads(event.model_dump_json()) for event in events]
    if node is not None:
        if node not in tree.nodes:
            raise UsageError(f"run {paths.root.name} has no node {node}; it has {len(tree)} nodes")
        mine = [json.loads(event.body.model_dump_json()) for event in round_of(events, node)]
        out.data(mine, transcript_text(manifest, events, tree, node, width))
        return 0
    selected = None
    if paths.card.exists():
        card = read_card(paths.card)
        if card.selected_node is not None and card.selected_variant is not None:
            selected = (card.selected_node, card.selected_variant)
    plans = [event["body"] for event in bodies if event["body"]["kind"] == "planned"]
    data = [body | {"value": tree.value(body["node"])} for body in plans]
    rules = insights_text((event.body for event in events), width)
    out.data(data, tree_text(tree, selected, width) + rules)
    return 0
