"""ReAct: how one output of a GTA agent is read as a step: a tool call or an answer.

A step is JSON data: `{"tool_calls": [{"function": {"name", "arguments"}}]}`, with `error` where the
call is unusable, or `{"content": answer}`. The protocol text is in the prompt: "Action:" and
"Action Input:" name a call, "Final Answer:" ends it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Step", "arguments_of", "call", "is_call", "name_of", "parse_step", "read_step"]

Step = Mapping[str, Any]

_MAX_CHARS = 200_000


def call(name: str, arguments: Any, error: str = "") -> dict[str, Any]:
    """A step that calls the tool `name`; `error` is the kind of mistake, "" for none."""
    step: dict[str, Any] = {
        "role": "assistant",
        "tool_calls": [{"type": "function", "function": {"name": name, "arguments": arguments}}],
    }
    return {**step, "error": {"type": error}} if error else step


def is_call(step: Step) -> bool:
    """Whether the step calls a tool."""
    return bool(step.get("tool_calls"))


def name_of(step: Step) -> str:
    """The name of the tool that a call names."""
    return str(step["tool_calls"][0]["function"]["name"])


def arguments_of(step: Step) -> Any:
    """The arguments of a call: a mapping, or the raw text where they could not be read."""
    return step["tool_calls"][0]["function"]["arguments"]


def _action(text: str) -> str | None:
    """What follows the first "Action:" of the last complete line that has one."""
    end = text.rfind("\n")
    while end >= 0:
        start = text.rfind("\n", 0, end) + 1
        found = text.find("Action:", start, end)
        if found >= 0:
            return text[found + len("Action:") : end].strip()
        end = start - 1
    return None


def _unfenced(text: str) -> str:
    """The inside of a block that ends in a fence of three back-ticks, else the text."""
    bare = text.rstrip()
    if not bare.endswith("\n```"):
        return text
    return bare[: -len("\n```")].lstrip().removeprefix("```json\n")


def _coercible(kind: str, value: Any, files: Sequence[str]) -> bool:
    if kind == "image":
        return isinstance(value, str) and value in files
    try:
        if kind == "int":
            int(value)
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def _checked(tool: Mapping[str, Any], raw: str, files: Sequence[str]) -> dict[str, Any]:
    name = str(tool["name"])
    try:
        arguments = json.loads(_unfenced(raw))
    except (ValueError, RecursionError):
        arguments = None
    inputs = {entry["name"]: entry for entry in tool["inputs"]}
    required = {known for known, entry in inputs.items() if not entry["optional"]}
    if not isinstance(arguments, dict) or not required <= arguments.keys() <= inputs.keys():
        return call(name, raw, "ARGS_ERROR")
    usable = all(_coercible(inputs[key]["type"], value, files) for key, value in arguments.items())
    return call(name, arguments, "" if usable else "API_ERROR")


def read_step(text: str) -> Step:
    """The step that `text` is as JSON, as upstream stores its predictions."""
    try:
        step = json.loads(text[:_MAX_CHARS])
        if isinstance(step, dict) and (not is_call(step) or name_of(step)):
            return step
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        pass
    return call("NoAction", {"text": ""}, "API_ERROR")


def parse_step(text: str, tools: Sequence[Mapping[str, Any]], files: Sequence[str]) -> Step:
    """The step that `text` takes.

    Args:
        text: one output; only its first 200,000 characters are read.
        tools: the tools of the sample, each with `name` and `inputs` (name, type, optional).
        files: the paths that count as existing images.
    """
    text = text[:_MAX_CHARS]
    if "Final Answer:" in text:
        return {"role": "assistant", "content": text.rpartition("Final Answer:")[2]}
    name, marker, raw = _action(text), *text.partition("Action Input:")[1:]
    if name is None or not marker:
        return call("NoAction", {"text": ""}, "API_ERROR")
    raw = raw.strip().strip('"')
    base, dot, method = name.partition(".")
    known = {str(tool["name"]): tool for tool in tools}
    if base not in known:
        return call("InvalidAction", {"text": raw}, "API_ERROR")
    if dot and method != "run":
        return call(base, raw, "API_ERROR")
    return _checked(known[base], raw, files)
