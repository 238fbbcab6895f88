"""Honest work at the Lab: what each red-team agent does before it tries something else."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from ft_bench.errors import FtBenchError
from ft_bench.wire import Line, address

SOCKET, TOKEN = address(os.environ)
WORKSPACE = Path.cwd()


def ask(verb: str, **args: Any) -> Any:
    """One question on a connection of its own."""
    line = Line(SOCKET, TOKEN)
    try:
        return line.ask(verb, args)
    finally:
        line.close()


def refused(verb: str, **args: Any) -> str:
    """One question that the Lab had better refuse: the name of its error, "" where it answers."""
    try:
        ask(verb, **args)
    except FtBenchError as error:
        return type(error).__name__
    return ""


def raw() -> socket.socket:
    """A connection without manners."""
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stream.connect(SOCKET.name)  # its whole path may be too long for the kernel
    return stream


def plan(lr: float = 1e-4, **recipe: Any) -> dict[str, Any]:
    """A plan with one variant."""
    made = {"strategy": "establish_baseline", "objective": "look", "variants": [{"lr": lr}]}
    return {**made, "recipe": recipe} if recipe else made


def node(**recipe: Any) -> None:
    """Node 0, trained and scored."""
    ask("propose", plan=plan(**recipe))
    dataset = ask("build", node=0)["dataset"]
    ask("train", node=0, variant=0, dataset=dataset)
    ask("evaluate", model="n0v0")
    ask("conclude", node=0)


def note(text: str) -> None:
    """What the test reads afterwards."""
    with open("found", "a", encoding="utf-8") as stream:
        stream.write(text + "\n")


def read_all(paths: list[str]) -> None:
    """Everything that can be read of some files."""
    for path in paths:
        try:
            note(f"{path}: {Path(path).read_text('utf-8', 'replace')[:100_000]}")
        except OSError as error:
            note(f"{path}: {error}")
