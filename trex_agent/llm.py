"""Llm: one question to a language model, metered and journalled: asked once, whatever happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ft_bench.errors import ModelFailed
from ft_bench.protocols import LLM, Lab, Reply, ToolCall
from ft_bench.record import Usage

__all__ = ["Message", "ask", "said"]

Message = Mapping[str, Any]
"""One message, or one tool, in OpenAI's chat format."""

_ATTEMPTS = 3


def ask(
    lab: Lab,
    llm: LLM,
    key: str,
    messages: Sequence[Message],
    *,
    tools: Sequence[Message] = (),
    max_tokens: int = 4096,
) -> Reply:
    """Ask within the budget; after a restart the answer comes from the journal.

    What is new in `messages` since the model last spoke is journalled with the answer, so a
    conversation can be read from the run without any message standing there twice. An attempt
    that was lost on the way (a time-out, half an answer) is charged in full and made anew.

    Args:
        lab: the metered bench.
        llm: who is asked.
        key: what tells this question from every other of the run; not its text.
        messages: the whole conversation so far.
        tools: what the model may call.
        max_tokens: of the answer.

    Raises:
        BudgetExhausted: before the model is asked.
        ModelFailed: no answer came; the run can be taken up again.
    """

    def make() -> tuple[Any, Usage]:
        reply = llm.complete(messages, tools=tools, max_tokens=max_tokens)
        return {"asked": _new(messages), **_data(reply)}, reply.usage

    for left in reversed(range(_ATTEMPTS)):
        try:
            most = llm.worst(messages, tools, max_tokens)
            return _reply(lab.call(key, most, make, f"{llm.name} asked: {key}"))
        except ModelFailed as failure:
            if not (failure.charged and failure.transient and left):
                raise
    raise AssertionError("the last attempt returns or raises")


def said(reply: Reply) -> dict[str, Any]:
    """A reply as the assistant's message of the conversation."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if reply.calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in reply.calls
        ]
    return message


def _new(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages since the model last spoke; all where it has not."""
    spoken = [n for n, message in enumerate(messages) if message.get("role") == "assistant"]
    return [dict(message) for message in messages[spoken[-1] + 1 if spoken else 0 :]]


def _data(reply: Reply) -> dict[str, Any]:
    return {
        "text": reply.text,
        "calls": [[call.id, call.name, call.arguments] for call in reply.calls],
        "finish": reply.finish,
        "model": reply.model,
        "tokens": reply.usage.tokens,
        "usd": reply.usage.usd,
    }


def _reply(value: Mapping[str, Any]) -> Reply:
    return Reply(
        text=value["text"],
        calls=tuple(ToolCall(*call) for call in value["calls"]),
        finish=value["finish"],
        usage=Usage(tokens=value["tokens"], usd=value["usd"]),
        model=value["model"],
    )
