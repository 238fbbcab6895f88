"""Messages: one conversation in its common formats, and a column of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

Message = dict[str, str]
ROWS_AT_ONCE = 5_000
ROLES = ("system", "user", "assistant", "tool")
SHAREGPT_ROLES: Mapping[str, str] = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "system": "system",
    "tool": "tool",
}
SHAREGPT_NAMES: Mapping[str, str] = {
    "user": "human",
    "assistant": "gpt",
    "system": "system",
    "tool": "tool",
}


def messages_column(turns: Sequence[pa.ChunkedArray], system: str | None) -> pa.ChunkedArray:
    """User and assistant texts by column as one list of messages per row, without Python rows.

    Args:
        turns: The text of each turn, user first, all with the same number of rows.
        system: A system message put first.
    """
    rows = len(turns[0])
    starts = range(0, max(rows, 1), ROWS_AT_ONCE)
    parts = [_lists([t.slice(start, ROWS_AT_ONCE) for t in turns], system) for start in starts]
    return pa.chunked_array(parts)


def _lists(turns: Sequence[pa.ChunkedArray], system: str | None) -> pa.ListArray:
    """`messages_column` of a few rows, small enough for the processor's cache."""
    rows = len(turns[0])
    flat = [chunk.cast(pa.string()) for values in turns for chunk in values.chunks]
    roles = ["user" if i % 2 == 0 else "assistant" for i in range(len(turns))]
    places = [np.arange(rows) + i * rows for i in range(len(turns))]
    if system is not None:
        flat.append(pa.array([system], pa.string()))
        places.insert(0, np.full(rows, rows * len(turns)))
        roles.insert(0, "system")
    order = np.stack(places, axis=1).ravel()
    contents = pa.concat_arrays(flat).take(pa.array(order))
    role = pa.array(roles, pa.string()).take(pa.array(np.tile(np.arange(len(roles)), rows)))
    offsets = np.arange(rows + 1, dtype=np.int32) * len(roles)
    structs = pa.StructArray.from_arrays([role, contents], ["role", "content"])
    return pa.ListArray.from_arrays(offsets, structs)


def from_alpaca(row: Mapping[str, Any]) -> list[Message]:
    """Instruction and input, with a blank line between them, ask; output answers."""
    asked = "\n\n".join(part for part in (row["instruction"], row.get("input")) if part)
    return [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": row["output"]},
    ]


def from_sharegpt(row: Mapping[str, Any]) -> list[Message]:
    """Turns of from and value.

    Raises:
        ValueError: A turn is from somebody unknown.
    """
    made = []
    for turn in row["conversations"]:
        if turn["from"] not in SHAREGPT_ROLES:
            raise ValueError(f"a turn is from {turn['from']!r}, expected human, gpt or system")
        made.append({"role": SHAREGPT_ROLES[turn["from"]], "content": turn["value"]})
    return made


def from_preference(row: Mapping[str, Any], system: str | None) -> dict[str, list[Message]]:
    """A pair as lists of messages; lists stay as they are.

    Raises:
        ValueError: A part is neither text nor a list.
    """
    made = {}
    for name, role in (("prompt", "user"), ("chosen", "assistant"), ("rejected", "assistant")):
        value = row[name]
        if not isinstance(value, str | list):
            raise ValueError(f"{name} is {value!r}, expected text or messages")
        made[name] = [{"role": role, "content": value}] if isinstance(value, str) else value
    if system is not None and made["prompt"][0]["role"] != "system":
        made["prompt"] = [{"role": "system", "content": system}, *made["prompt"]]
    return made


def to_prompt(messages: Sequence[Message]) -> dict[str, Any]:
    """One question and one answer; a system message is put before the question.

    Raises:
        ValueError: There is more than one turn.
    """
    asked = [one["content"] for one in messages if one["role"] in ("system", "user")]
    answered = [one["content"] for one in messages if one["role"] == "assistant"]
    turns = [one["role"] for one in messages if one["role"] != "system"]
    if turns != ["user", "assistant"]:
        raise ValueError(f"the turns are {turns}, expected one of user and one of assistant")
    return {"prompt": "\n\n".join(asked), "answer": answered[0]}


def to_alpaca(messages: Sequence[Message]) -> dict[str, Any]:
    """Instruction, empty input and output.

    Raises:
        ValueError: There is more than one turn.
    """
    pair = to_prompt(messages)
    return {"instruction": pair["prompt"], "input": "", "output": pair["answer"]}


def to_sharegpt(messages: Sequence[Message]) -> dict[str, Any]:
    """Turns of from and value."""
    return {
        "conversations": [
            {"from": SHAREGPT_NAMES[one["role"]], "value": one["content"]} for one in messages
        ]
    }
