"""Review: between two rounds the Researcher reads the report, and goes on or is content."""

from __future__ import annotations

import json
from typing import Any

from ft_bench.protocols import LLM, Lab, ToolCall
from trex_agent.llm import ask
from trex_agent.prompts import render

__all__ = ["arguments_of", "review"]

_TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {field: {"type": "string"}},
                "required": [field],
            },
        },
    }
    for name, description, field in (
        ("accept", "The node is done.", "reason"),
        ("instruct", "Give the Executor its next instruction.", "text"),
    )
]


def review(
    lab: Lab, llm: LLM, key: str, left: int, *, instruction: str, status: str, report: str
) -> tuple[str | None, int]:
    """Ask the Researcher for its next instruction.

    Args:
        lab: the metered bench.
        llm: who is asked.
        key: names the question in the journal, "node.round".
        left: how many more rounds there may be.
        instruction: the one that the report answers.
        status: where the variants stand.
        report: the Executor's.

    Returns:
        The instruction, None where it is content or says nothing of use, and the tokens used.

    Raises:
        BudgetExhausted, JobFailed: from the Lab and from the model.
    """
    told = render("review_report", instruction=instruction, status=status, report=report)
    messages = [
        {"role": "system", "content": render("review", rounds_left=left)},
        {"role": "user", "content": told},
    ]
    reply = ask(lab, llm, f"review {key}", messages, tools=_TOOLS)
    texts = [_text_of(call) for call in reply.calls if call.name == "instruct"]
    return next(filter(None, texts), None), reply.usage.tokens


def arguments_of(text: str) -> dict[str, Any] | None:
    """A call's arguments, None where they are no JSON object."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return given if isinstance(given, dict) else None


def _text_of(call: ToolCall) -> str:
    return str((arguments_of(call.arguments) or {}).get("text", "")).strip()
