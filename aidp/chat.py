"""Chat: rows of prompts and answers as conversations, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import pyarrow as pa

from aidp.effect import Effect
from aidp.errors import AidpError
from aidp.messages import (
    Message,
    from_alpaca,
    from_preference,
    from_sharegpt,
    messages_column,
    to_alpaca,
    to_prompt,
    to_sharegpt,
)
from aidp.operators import operator
from aidp.schema import is_list, require, set_column, strings

Source = Literal["prompt", "alpaca", "sharegpt", "messages", "preference"]
Target = Literal["messages", "prompt", "alpaca", "sharegpt", "preference"]
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "alpaca": ("instruction", "input", "output"),
    "messages": ("messages",),
    "preference": ("prompt", "chosen", "rejected"),
    "prompt": ("prompt", "answer"),
    "sharegpt": ("conversations",),
}
READERS: Mapping[str, Callable[[Mapping[str, Any]], list[Message]]] = {
    "alpaca": from_alpaca,
    "messages": lambda row: row["messages"],
    "sharegpt": from_sharegpt,
}
WRITERS: Mapping[str, Callable[[list[Message]], dict[str, Any]]] = {
    "alpaca": to_alpaca,
    "prompt": to_prompt,
    "sharegpt": to_sharegpt,
}


@operator(
    each_row=True,
    example='convert_chat(data, source="prompt", target="messages", system="Be brief.")',
)
def convert_chat(
    table: pa.Table,
    *,
    source: Source = "prompt",
    target: Target = "messages",
    prompt: str = "prompt",
    answer: str = "answer",
    system: str | None = None,
) -> Effect:
    """Rewrite conversations from one common format into another.

    `prompt` has two text columns; `messages` is ChatML's list of role and content; `alpaca`
    has instruction, input, output; `sharegpt` has conversations of from and value;
    `preference` has prompt, chosen, rejected and becomes lists of messages. The columns of
    the old format go, the others stay. Formats of one turn refuse longer conversations.

    Args:
        table: The rows.
        source: The format of the rows.
        target: The format wanted.
        prompt: The column that asks, for `source="prompt"`.
        answer: The column that answers, for `source="prompt"`.
        system: A system message put first where a row has none.

    Raises:
        AidpError: A column is missing, or a row does not fit; the error names the row.
    """
    if (source == "preference") != (target == "preference"):
        raise AidpError(f"cannot make {target!r} of {source!r}; preference pairs stay pairs")
    if source == "prompt" and target == "messages":
        turns = [strings(table, prompt), strings(table, answer)]
        made = set_column(table, "messages", messages_column(turns, system))
        return Effect(table=made.drop_columns([n for n in (prompt, answer) if n != "messages"]))
    return Effect(table=_by_row(table, source, target, prompt, answer, system))


def _by_row(
    table: pa.Table, source: Source, target: Target, prompt: str, answer: str, system: str | None
) -> pa.Table:
    names = (prompt, answer) if source == "prompt" else COLUMNS[source]
    present = [name for name in names if name in table.column_names or name != "input"]
    for name in present:
        require(table, name)
    rows = table.select(present).to_pylist()
    converted = []
    for position, row in enumerate(rows):
        if source == "prompt":
            row = {"prompt": row[prompt], "answer": row[answer]}
        converted.append(_converted(row, source, target, system, position))
    rest = table.drop_columns(present)
    for name in converted[0]:
        rest = set_column(rest, name, pa.array([row[name] for row in converted]))
    return rest


def _converted(
    row: Mapping[str, Any], source: Source, target: Target, system: str | None, position: int
) -> dict[str, Any]:
    try:
        if source == "preference":
            return from_preference(row, system)
        if source == "prompt":
            turns = (("user", row["prompt"]), ("assistant", row["answer"]))
            messages: list[Message] = [{"role": r, "content": c} for r, c in turns]
        else:
            messages = READERS[source](row)
        if system is not None and (not messages or messages[0]["role"] != "system"):
            messages = [{"role": "system", "content": system}, *messages]
        return {"messages": messages} if target == "messages" else WRITERS[target](messages)
    except (KeyError, TypeError, ValueError) as error:
        raise AidpError(f"does not fit {source!r}: {error}", row=position) from None


def require_messages(table: pa.Table, column: str) -> pa.ChunkedArray:
    """The column, which must hold lists of structs.

    Raises:
        AidpError: It is missing or holds something else.
    """
    values = require(table, column)
    if not is_list(values.type) or not pa.types.is_struct(values.type.value_type):
        raise AidpError(
            f"holds {values.type}, expected lists of messages; use convert_chat", column=column
        )
    return values
