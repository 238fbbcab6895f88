"""Catalogue: what every operator does, for the prompt of an agent and for people."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

from aidp.operators import OPERATORS, Operator, find_operator


def catalogue() -> list[dict[str, Any]]:
    """All operators by name, JSON-able.

    Returns:
        For each: `name`, `version`, `signature` with types, `summary` (the first paragraph
        of its docstring), `cost`, an `example` call from Python and, where a recipe can
        hold it, the same call as a `step` of a recipe: the options are the `params`, and a
        dataset is named by the id of a source.
    """
    loaders = [_loader(function) for function in _loaders()]
    return loaders + [_entry(find_operator(name)) for name in sorted(OPERATORS)]


def catalogue_text() -> str:
    """The catalogue as Markdown, for a prompt."""
    return "\n".join(
        f"### {entry['name']}{entry['signature']}\n{entry['summary']} "
        f"Cost: {entry['cost']}.\n`{entry['example']}`"
        for entry in catalogue()
    )


def _entry(operator: Operator) -> dict[str, Any]:
    options = ", ".join(
        f"{one.name}: {one.annotation}" + ("" if one.required else f" = {one.default!r}")
        for one in operator.parameters
    )
    return {
        "name": operator.name,
        "version": operator.version,
        "signature": f"(dataset, *, {options})",
        "summary": _summary(operator),
        "cost": operator.cost,
        "example": operator.example,
        "step": example_step(operator),
    }


def example_step(operator: Operator) -> dict[str, Any]:
    """The example call of `operator` as a step of a recipe; a dataset's variable is its id."""
    call = ast.parse(operator.example, mode="eval").body
    assert isinstance(call, ast.Call)
    params = {
        str(option.arg): option.value.id
        if isinstance(option.value, ast.Name)
        else ast.literal_eval(option.value)
        for option in call.keywords
    }
    return {"op": operator.name, "params": params}


def _loader(function: Callable[..., object]) -> dict[str, Any]:
    return {
        "name": function.__name__,
        "version": 1,
        "signature": str(inspect.signature(function)).replace("'", ""),
        "summary": _summary(function),
        "cost": "linear",
        "example": f'{function.__name__}("train.jsonl")'
        if "local" in function.__name__
        else f'{function.__name__}("owner/name", split="train", revision="...")',
    }


def _summary(documented: object) -> str:
    paragraph = (inspect.getdoc(documented) or "").split("\n\n")[0]
    return " ".join(paragraph.split())


def _loaders() -> list[Callable[..., object]]:
    from aidp.load import load_local_dataset, load_remote_dataset

    return [load_local_dataset, load_remote_dataset]
