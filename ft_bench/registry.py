"""Registry: from a plug-in's name to the object; the one place that imports plug-ins.

Built-ins are declared as entry points exactly as a third party's are.
"""

from __future__ import annotations

from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from ft_bench.errors import PrerequisiteError, UnknownName, UsageError
from ft_bench.protocols import Scorer
from ft_bench.task import TaskSpec, load_task

__all__ = ["Group", "available", "backend", "backends", "load", "origin", "scorer", "task", "tasks"]

Group = Literal["agents", "scorers", "backends", "tasks"]
_NOUN = {"agents": "agent", "scorers": "scorer", "backends": "backend", "tasks": "task"}
_REMEDY = {"tasks": "ft-bench tasks list"}


@cache
def available(group: Group) -> dict[str, EntryPoint]:
    """The plug-ins of a group, by name.

    Raises:
        UsageError: where two distributions register the same name.
    """
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"ft_bench.{group}"):
        other = found.get(point.name)
        if other is not None and other.value != point.value:
            raise UsageError(
                f"Two plug-ins register the {_NOUN[group]} {point.name!r} ({other.value} and "
                f"{point.value}); uninstall one of them"
            )
        found[point.name] = point
    return found


def load(group: Group, name: str) -> Any:
    """Import the plug-in called `name`.

    Raises:
        UnknownName: with the nearest name that exists.
        PrerequisiteError: where its package or one that it needs cannot be imported.
    """
    points = available(group)
    if name not in points:
        raise UnknownName(_NOUN[group], name, points, _REMEDY.get(group, "ft-bench plugins list"))
    try:
        return points[name].load()
    except ImportError as cause:
        raise PrerequisiteError(
            f"The {_NOUN[group]} {name!r} ({points[name].value}) cannot be imported: {cause}; "
            "install the package it needs"
        ) from cause


def backends(kind: str) -> list[str]:
    """Names of the back ends of one kind ("llm", "cluster", ...), without the kind, sorted."""
    prefix = f"{kind}."
    return sorted(n.removeprefix(prefix) for n in available("backends") if n.startswith(prefix))


def backend(kind: str, name: str) -> Any:
    """The back end of one kind called `name`; a language model's may be "provider/model".

    Raises:
        UnknownName: with the nearest of that kind.
    """
    known = backends(kind)
    if kind == "llm" and "/" in name:
        return partial(load("backends", "llm.litellm"), model=name)
    if name not in known:
        noun = "backend" if kind == "llm" else f"{kind} backend"
        raise UnknownName(noun, name, known, "ft-bench plugins list")
    return load("backends", f"{kind}.{name}")


def origin(group: Group, name: str) -> str:
    """The distribution and version that registered a plug-in, "" where it cannot be told."""
    dist = available(group)[name].dist
    return f"{dist.name} {dist.version}" if dist else ""


@cache
def task(name: str) -> TaskSpec:
    """The task called `name`.

    Raises:
        UnknownName: with the nearest task.
    """
    points = available("tasks")
    if name not in points:
        raise UnknownName("task", name, points, _REMEDY["tasks"])
    return load_task(points[name].value)


def tasks() -> list[str]:
    """Names of all registered tasks, sorted."""
    return sorted(available("tasks"))


def scorer(name: str) -> Scorer:
    """The scorer called `name`."""
    found: Scorer = load("scorers", name)
    return found
