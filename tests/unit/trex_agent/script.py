"""A language model that says what a script tells it, as a function of the conversation alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ft_bench.protocols import Reply, ToolCall
from ft_bench.record import Usage

Step = Sequence[tuple[str, Mapping[str, Any] | str]] | str
"""What one turn does: calls as (tool, arguments), or a text without any call."""

TOKENS = 100


def finish(report: str = "done") -> tuple[str, dict[str, Any]]:
    return ("finish", {"report": report})


def write(path: str, rows: Sequence[Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
    return ("write", {"path": path, "text": "".join(json.dumps(row) + "\n" for row in rows)})


class Script:
    """Plays turns as Executor, by node and turn, and one answer as Researcher.

    Args:
        turns: of every node, or from the node's number to its turns.
        review: what the Researcher does between rounds.
        before: called before each answer with its number, to end the process there.
    """

    name = "script"

    def __init__(
        self,
        turns: Sequence[Step] | Callable[[int], Sequence[Step]],
        review: Step = (("accept", {"reason": "enough"}),),
        before: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.turns, self.review, self.before = turns, review, before
        self.asked: list[list[dict[str, Any]]] = []

    def worst(self, messages: Any, tools: Any, max_tokens: int) -> Usage:
        return Usage(tokens=2 * TOKENS)

    def complete(
        self, messages: Sequence[Mapping[str, Any]], *, tools: Any = (), max_tokens: int = 4096
    ) -> Reply:
        self.before(len(self.asked))
        self.asked.append([dict(message) for message in messages])
        step = self._step(messages, [tool["function"]["name"] for tool in tools])
        text, calls = (step, ()) if isinstance(step, str) else ("", step)
        made = tuple(
            ToolCall(
                f"c{len(messages)}.{number}",
                name,
                arguments if isinstance(arguments, str) else json.dumps(arguments),
            )
            for number, (name, arguments) in enumerate(calls)
        )
        kind = "refused" if text.startswith("I refuse") else "calls" if made else "stop"
        return Reply(text, made, kind, Usage(tokens=TOKENS), "script-1")

    def _step(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[str]) -> Step:
        if "instruct" in tools:
            return self.review
        told = [str(message["content"]) for message in messages if message["role"] == "user"]
        node = int(told[0].split("# Node ", 1)[1].split(":", 1)[0])
        turns = self.turns(node) if callable(self.turns) else self.turns
        said = sum(message["role"] == "assistant" for message in messages)
        return turns[min(said, len(turns) - 1)]
