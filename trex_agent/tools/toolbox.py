"""Toolbox: tools with typed arguments, each answer journalled, so that none is asked twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ft_bench.digest import digest
from ft_bench.protocols import Lab, ToolCall
from ft_bench.record import Usage

__all__ = ["Arguments", "Tool", "ToolRefused", "Toolbox"]

MOST_CHARACTERS = 12_000


class Arguments(BaseModel):
    """What a tool takes; unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ToolRefused(Exception):
    """A tool cannot do what it was asked; `str()` is one sentence for the model."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool.

    `run` takes an instance of `arguments` and returns text; it raises ToolRefused where it cannot
    answer. `of_tree` marks an answer that changes as the tree grows, and is kept for one node only.
    """

    name: str
    description: str
    arguments: type[Arguments]
    run: Callable[[Any], str]
    of_tree: bool = False

    def specification(self) -> dict[str, Any]:
        """In OpenAI's chat format."""
        schema = self.arguments.model_json_schema()
        schema.pop("title", None)
        schema.pop("description", None)
        function = {"name": self.name, "description": self.description, "parameters": schema}
        return {"type": "function", "function": function}


class Toolbox:
    """The tools of a run.

    Args:
        lab: journals each answer.
        tools: by name.
    """

    def __init__(self, lab: Lab, tools: Sequence[Tool]) -> None:
        self.lab = lab
        self.tools = {tool.name: tool for tool in tools}

    def specifications(self) -> list[dict[str, Any]]:
        """All tools in OpenAI's chat format."""
        return [tool.specification() for tool in self.tools.values()]

    def use(self, call: ToolCall, node: int) -> str:
        """The answer to a call, or one sentence on why there is none. Never raises for a call."""
        tool = self.tools.get(call.name)
        if tool is None:
            return f"There is no tool {call.name!r}; there are {', '.join(self.tools)}."
        try:
            arguments = tool.arguments.model_validate_json(call.arguments or "{}")
        except ValidationError as wrong:
            first = wrong.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the arguments"
            return f"{call.name}: {where}: {first['msg']}."
        asked = digest(arguments.model_dump(mode="json"))[:16]
        scope = f" at node {node}" if tool.of_tree else ""
        answer = self.lab.call(
            f"tool {tool.name}{scope} {asked}",
            Usage(),
            lambda: (_answered(tool, arguments), Usage()),
            f"tool {tool.name}",
        )
        return str(answer["text"])


def _answered(tool: Tool, arguments: Arguments) -> dict[str, Any]:
    given = {"who": "tool", "name": tool.name, "arguments": json.loads(arguments.model_dump_json())}
    try:
        text = tool.run(arguments)
    except ToolRefused as refused:
        return {**given, "text": str(refused), "ok": False}
    if len(text) > MOST_CHARACTERS:
        text = f"{text[:MOST_CHARACTERS]}\n(cut after {MOST_CHARACTERS:,} characters)"
    return {**given, "text": text, "ok": True}
