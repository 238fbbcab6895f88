"""ReAct: the messages that a GTA agent sees before a step, as upstream's protocol words them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Message", "gold_text", "messages_before", "prompt_of"]

Message = dict[str, str]

_KINDS = {"text": "STRING", "image": "STRING", "int": "NUMBER", "bool": "BOOLEAN"}
_HOW = (
    "If you call this tool, you must pass arguments in the JSON format {key: value}, where the key "
    "is the parameter name."
)
_PROTOCOL = """You are a assistant who can utilize external tools.
{tools}
To use a tool, please use the following format:
```
Thought:Think what you need to solve, do you need to use tools?
Action:the tool name, should be one of [{names}]
Action Input:the input to the action
```
The response after utilizing tools should using the following format:
```
Response:the results after call the tool.
```
If you already know the answer, or you do not need to use tools,
please using the following format to reply:
```
Thought:the thought process to get the final answer
Final Answer:final answer
```
Begin!"""
_SUMMARISE = "Please summarize the chat history and give a final answer. Do not call any tools."


def _described(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": tool["name"],
        "description": tool["description"],
        "parameters": [
            {
                "name": entry["name"],
                "description": entry["description"],
                "type": _KINDS[entry["type"]],
            }
            for entry in tool["inputs"]
        ],
        "required": [entry["name"] for entry in tool["inputs"] if not entry["optional"]],
        "parameter_description": _HOW,
    }


def _spoken(turn: Mapping[str, Any]) -> Message:
    if turn["role"] == "user":
        return {"role": "user", "content": turn["content"]}
    if turn["role"] == "assistant":
        return {"role": "assistant", "content": gold_text(turn)}
    content = turn["content"]
    text = content["content"]
    return {
        "role": "system",
        "content": f"[image]({text})" if content["type"] == "image" else str(text),
    }


def gold_text(turn: Mapping[str, Any]) -> str:
    """A gold assistant turn as history shows it: a call without its thought, or an answer."""
    if not turn.get("tool_calls"):
        return str(turn["content"])
    function = turn["tool_calls"][0]["function"]
    arguments = json.dumps(function["arguments"], ensure_ascii=False)
    return f"Action:{function['name']}\nAction Input:{arguments}"


def messages_before(
    sample: Mapping[str, Any], turn: int, toolmeta: Mapping[str, Any]
) -> list[Message]:
    """What the model sees before the dialogue's turn number `turn`: the gold history.

    Before the last assistant turn it is also asked to summarise. Tools are described as `toolmeta`
    has them by name; the copies inside the samples differ in places.
    """
    tools = [_described(toolmeta[tool["name"]]) for tool in sample["tools"]]
    names = [tool["name"] for tool in sample["tools"]]
    files = ", ".join(f"`{file['path']}`" for file in sample["files"])
    dialogue: Sequence[Mapping[str, Any]] = sample["dialogs"]
    messages = [
        {"role": "system", "content": _PROTOCOL.format(tools=tools, names=names)},
        {"role": "system", "content": f"The related files are at {files}"},
        *(_spoken(earlier) for earlier in dialogue[:turn]),
    ]
    last = max(at for at, spoken in enumerate(dialogue) if spoken["role"] == "assistant")
    if turn == last:
        messages.append({"role": "user", "content": _SUMMARISE})
    return messages


def prompt_of(messages: Sequence[Message]) -> str:
    """The messages as one text, for a model that is given a single user message."""
    marks = {"system": "", "user": "User: ", "assistant": "Assistant: "}
    spoken = [f"{marks[message['role']]}{message['content']}" for message in messages]
    return "\n\n".join([*spoken, "Assistant:"])
