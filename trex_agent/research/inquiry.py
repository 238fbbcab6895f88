"""Inquiry: a conversation that ends in an answer which can be read, or in none.

The model may use tools first; an answer that cannot be read goes back with the fault, twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError

from ft_bench.errors import UsageError
from ft_bench.protocols import LLM, Lab, Reply
from trex_agent.llm import ask, said
from trex_agent.prompts import render
from trex_agent.tools.toolbox import Toolbox

__all__ = ["MOST_TURNS", "Inquiry", "Unreadable", "json_in"]

T = TypeVar("T")
MOST_TURNS = 8
_MOST_CALLS = 4
_REPAIRS = 2
_OBJECT = re.compile(r"```(?:json)?\s*(\{.*?\})\s*```", re.DOTALL)


class Unreadable(Exception):
    """The model gave no usable answer; `str()` says why."""


class Inquiry:
    """One conversation with the model about one node.

    Args:
        lab: meters and journals.
        llm: who is asked.
        toolbox: what the model may use.
        node: the node that is being planned.
        about: what tells this conversation from others about the same node.
        max_tokens: of one reply.
    """

    def __init__(
        self,
        lab: Lab,
        llm: LLM,
        toolbox: Toolbox,
        node: int,
        about: str = "",
        max_tokens: int = 8192,
    ) -> None:
        self.lab, self.llm, self.toolbox, self.node = lab, llm, toolbox, node
        self.about = f" {about}" if about else ""
        self.max_tokens = max_tokens
        self.model = llm.name
        self.messages: list[dict[str, Any]] = [{"role": "system", "content": render("researcher")}]

    def answer(self, name: str, question: str, read: Callable[[str], T]) -> T:
        """The answer to a question, as `read` takes it from the model's words.

        Args:
            name: what the question is called in the journal.
            question: in Markdown.
            read: raises ValueError or UsageError where it cannot use the words.

        Raises:
            Unreadable: after two repairs, or where the model refuses.
            BudgetExhausted, ModelFailed: from the Lab and the model.
        """
        self.messages.append({"role": "user", "content": question})
        fault = ""
        for attempt in range(_REPAIRS + 1):
            reply = self._spoken(f"{name} {self.node}{self.about}: {attempt}")
            if reply.finish == "refused":
                fault = f"the model refused: {reply.text[:200]!r}"
            else:
                try:
                    return read(reply.text)
                except (ValueError, UsageError) as wrong:
                    fault = _fault(reply, wrong)
            self.messages.append({"role": "user", "content": render("repair", fault=fault)})
        raise Unreadable(fault)

    def _spoken(self, key: str) -> Reply:
        """The next reply that calls no tool."""
        for turn in range(MOST_TURNS + 2):
            reply = ask(
                self.lab,
                self.llm,
                f"{key}.{turn}",
                self.messages,
                tools=self.toolbox.specifications(),
                max_tokens=self.max_tokens,
            )
            self.model = reply.model
            self.messages.append(_kept(said(reply)))
            if not reply.calls:
                return reply
            for n, call in enumerate(reply.calls):
                spent = turn >= MOST_TURNS or n >= _MOST_CALLS
                text = _NO_MORE if spent else self.toolbox.use(call, self.node)
                told = {"role": "tool", "tool_call_id": call.id, "content": text}
                self.messages.append(told)
        return reply


_NO_MORE = "No more tools for this question: answer now, with one JSON object."


def json_in(text: str) -> Any:
    """The JSON object in a reply: the last fenced one, else from the first brace to the last.

    Raises:
        ValueError: where there is none, with the place of the fault.
    """
    blocks = _OBJECT.findall(text)
    start, end = text.find("{"), text.rfind("}")
    if not blocks and (start < 0 or end < start):
        raise ValueError("there is no JSON object in it; expected one in a ```json block")
    try:
        return json.loads(blocks[-1] if blocks else text[start : end + 1])
    except RecursionError as cause:
        raise ValueError("its JSON is nested too deeply") from cause


def _fault(reply: Reply, wrong: Exception) -> str:
    if reply.finish == "length":
        return "it was cut off at the limit of tokens; be shorter"
    if isinstance(wrong, ValidationError):
        found = wrong.errors()[:4]
        return "; ".join(f"{_place(item['loc'])}: {item['msg']}" for item in found)
    return " ".join(str(wrong).split())[:800]


def _place(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc) or "the object"


def _kept(message: dict[str, Any]) -> dict[str, Any]:
    """The message as a server takes it back: not empty, and with arguments that are JSON."""
    for call in message.get("tool_calls", ()):
        try:
            json.loads(call["function"]["arguments"])
        except (ValueError, RecursionError):
            call["function"]["arguments"] = "{}"
    if not message["content"] and not message.get("tool_calls"):
        message["content"] = "(nothing)"
    return message
