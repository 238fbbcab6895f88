"""Steer: `ft-bench runs pin|unpin|close|reopen|ban|unban`, a person's wishes for a run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ft_bench.cli._output import Format, Output
from ft_bench.cli.folder import find_run
from ft_bench.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from ft_bench.record import Order
    from ft_bench.store import RunPaths
    from ft_bench.tree import Tree

__all__ = ["ban", "close", "pin", "register", "reopen", "unban", "unpin"]

RunsDir = Annotated[str | None, typer.Option(help="Where runs are [results/runs].")]
Shape = Annotated[Format, typer.Option(help="auto, human, json or quiet.")]
What = Annotated[
    str, typer.Argument(help="A node (its recipes), an AIDP operator, or a field: variant.lr.")
]
Verb = Literal["pin", "unpin", "close", "reopen", "ban", "unban"]
_OPERATOR = re.compile(r"[a-z][a-z0-9_]*")
_RECIPE_FIELDS = ("recipe.max_samples", "recipe.sources")
_SAID = {
    "pin": "is refined before all others, until it is unpinned or nothing is left to try there",
    "unpin": "is a node like others again",
    "close": "gets no further child",
    "reopen": "may get children again",
    "ban": "is not used again",
    "unban": "may be used again",
}


def pin(run: str, node: int, runs_dir: RunsDir = None, format: Shape = "auto") -> int:
    """Refine this node before all others, until it is unpinned or exhausted."""
    return _about_node(run, "pin", node, runs_dir, format)


def unpin(run: str, node: int, runs_dir: RunsDir = None, format: Shape = "auto") -> int:
    """Take a pin back."""
    return _about_node(run, "unpin", node, runs_dir, format)


def close(run: str, node: int, runs_dir: RunsDir = None, format: Shape = "auto") -> int:
    """Refine this node no further; its children stay open."""
    return _about_node(run, "close", node, runs_dir, format)


def reopen(run: str, node: int, runs_dir: RunsDir = None, format: Shape = "auto") -> int:
    """Take a closing back."""
    return _about_node(run, "reopen", node, runs_dir, format)


def ban(run: str, what: What, runs_dir: RunsDir = None, format: Shape = "auto") -> int:
    """Never again: a node's recipes, an operator, or a change of a field."""
    return _about_what(run, "ban", what, runs_dir, format)


def unban(run: str, what: What, runs_dir: RunsDir = None, format: Shape = "auto") -> int:
    """Lift a ban."""
    return _about_what(run, "unban", what, runs_dir, format)


def register(app: typer.Typer) -> None:
    """Add the six verbs to a group of commands."""
    for verb in (pin, unpin, close, reopen, ban, unban):
        app.command(verb.__name__)(verb)


def _about_node(run: str, verb: Verb, node: int, runs_dir: str | None, format: Format) -> int:
    from ft_bench.record import Order

    paths, tree = _open_run(run, runs_dir)
    _check_node(tree, node, paths)
    return _order(paths, Order(verb=verb, node=node), f"node {node}", format)


def _about_what(run: str, verb: Verb, what: str, runs_dir: str | None, format: Format) -> int:
    from ft_bench.record import Order

    paths, tree = _open_run(run, runs_dir)
    if what.isdigit():
        _check_node(tree, int(what), paths)
        order = Order(verb=verb, node=int(what))
        return _order(paths, order, f"the recipe of node {what}", format)
    _check_name(what)
    return _order(paths, Order(verb=verb, name=what), what, format)


def _open_run(run: str, runs_dir: str | None) -> tuple[RunPaths, Tree]:
    """A run that can still be steered, and its tree."""
    from ft_bench.store import read_events
    from ft_bench.tree import Tree

    paths = find_run(run, runs_dir)
    if paths.card.exists():
        raise UsageError(
            f"{paths.root.name} is complete, so nothing is left to steer; start another with "
            "`ft-bench eval --fresh`"
        )
    return paths, Tree.of(event.body for event in read_events(paths.events)[0])


def _check_node(tree: Tree, node: int, paths: RunPaths) -> None:
    if node not in tree.nodes:
        last = f"0 to {len(tree) - 1}" if len(tree) else "one once the baseline stands"
        raise UsageError(f"{paths.root.name} has no node {node}; expected {last}")


def _check_name(what: str) -> None:
    from ft_bench.plan import Variant

    if "." not in what:
        if not _OPERATOR.fullmatch(what):
            raise UsageError(
                f"{what!r} is no node, operator or field; write for example 3, augment_smiles or "
                "variant.lr"
            )
        return
    schemes = [f"variant.{name}" for name in Variant.model_fields]
    if what not in (*schemes, *_RECIPE_FIELDS):
        raise UnknownName("field", what, [*schemes, *_RECIPE_FIELDS])


def _order(paths: RunPaths, order: Order, subject: str, format: Format) -> int:
    from ft_bench.control import append_order
    from ft_bench.store import holder

    append_order(paths, order)
    live = holder(paths) is not None
    when = "before its next node" if live else "when it is taken up again"
    data: dict[str, Any] = {"run": paths.root.name, **order.model_dump(mode="json"), "live": live}
    text = f"{subject} {_SAID[order.verb]}; {paths.root.name} takes this in {when}"
    Output(format).data(data, text)
    return 0
