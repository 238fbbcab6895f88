"""`ft-bench lab`: the Lab's verbs for a program that a run started, such as a shell script.

Each verb takes its arguments as flags, or as one JSON object, and answers JSON. An agent in shell
calls this for all that it does, so only the standard library is loaded: no typer, no pydantic.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ft_bench.cli._output import Output
from ft_bench.errors import FtBenchError, UsageError

__all__ = ["main"]

_ABOUT = """Talk to the Lab from inside a run. Each verb answers one JSON object on standard output.

exit codes: 0 done; 1 it failed, which is an ordinary outcome; 2 the question was wrong; 3 there is
no Lab; 4 the budget is used up; 5 refused."""


class _Flag(NamedTuple):
    name: str
    type: Callable[[str], Any]
    help: str


_NODE = _Flag("node", int, "the node")
_VARIANT = _Flag("variant", int, "the variant of the node's plan, from 0")
_MODEL = _Flag("model", str, "a trained model such as n0v1, or base")
_VERBS: Mapping[str, tuple[str, tuple[_Flag, ...]]] = {
    "brief": ("the task, its data and its limits", ()),
    "budget": ("what is left of each limit; null is no limit", ()),
    "tree": ("all nodes so far, with their scores", ()),
    "propose": (
        'open a node: {"parent": 0, "plan": {...}} on standard input, or a plan with --parent',
        (_Flag("parent", int, "the parent; none for the first node"),),
    ),
    "build": ("make the dataset of a node's plan", (_NODE, _VARIANT)),
    "train": (
        "train one variant",
        (
            _NODE,
            _VARIANT,
            _Flag("dataset", str, "the hash that build gave"),
            _Flag("replica", int, "over 0: again, with another seed"),
        ),
    ),
    "evaluate": ("score a model on validation", (_MODEL,)),
    "items": ("what a model said to each validation row, and what that earned", (_MODEL,)),
    "compare": (
        "the probability that a model beats another on validation",
        (_MODEL, _Flag("other", str, "the other model")),
    ),
    "conclude": ("close a node", (_NODE,)),
    "submit": (
        "name the model that goes to the sealed test",
        (_MODEL, _Flag("reason", str, "why this one")),
    ),
}


def main(argv: Sequence[str]) -> int:
    """Ask one question; returns the exit code."""
    given = vars(_parser().parse_args(argv))
    verb, file = given.pop("verb"), given.pop("json")
    try:
        flags = {key: value for key, value in given.items() if value is not None}
        answer = _ask(verb, _arguments(verb, file, flags))
    except FtBenchError as error:
        Output("human").error(str(error))
        return error.exit_code
    Output("json").data(answer, "")
    return 0


def _parser() -> argparse.ArgumentParser:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("ft-bench lab", description=_ABOUT, formatter_class=shape)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, (text, flags) in _VERBS.items():
        one = verbs.add_parser(verb, help=text, description=text)
        for flag in flags:
            one.add_argument(f"--{flag.name}", type=flag.type, help=flag.help)
        one.add_argument("--json", metavar="FILE", help="arguments as JSON; - is standard input")
    return parser


def _arguments(verb: str, file: str | None, flags: Mapping[str, Any]) -> dict[str, Any]:
    if verb != "propose":
        return {**(_read(file) if file else {}), **flags}
    found = _read(file or "-")
    return {**(found if "plan" in found else {"plan": found}), **flags}


def _read(file: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
        found = json.loads(text)
    except OSError as cause:
        raise UsageError(f"--json {file!r} cannot be read ({cause.strerror})") from cause
    except ValueError as cause:
        raise UsageError(f"{_where(file)} is no JSON ({cause}); expected one object") from cause
    if not isinstance(found, dict):
        raise UsageError(f"{_where(file)} is a {type(found).__name__}, expected one JSON object")
    return found


def _where(file: str) -> str:
    return "standard input" if file == "-" else f"--json {file!r}"


def _ask(verb: str, args: Mapping[str, Any]) -> Any:
    from ft_bench.wire import Line, address

    line = Line(*address(os.environ))
    try:
        return line.ask(verb, args)
    finally:
        line.close()
