"""Conversation: a model carries a node out in rounds, each opened by the Researcher's instruction.

Every reply and every tool's outcome is journalled as it comes, so that a run that was killed takes
the conversation up at the call where it stood; see `docs/design/executor.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ft_bench.protocols import LLM, Lab, Reply, ToolCall
from ft_bench.record import Usage
from trex_agent.executor.review import arguments_of, review
from trex_agent.executor.tools import Outcome, Toolbox, specifications
from trex_agent.llm import ask, said

__all__ = ["Bounds", "Conversation", "Ending"]

_MOST_CALLS = 8
_MOST_IDLE = 3
_MOST_REFUSALS = 2


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a conversation may be: rounds, the model's turns in each, tokens in all."""

    rounds: int = 2
    turns: int = 24
    tokens: int = 400_000


@dataclass(frozen=True, slots=True)
class Ending:
    """How a conversation ended."""

    ended: Literal["finished", "gave up"]
    why: str
    report: str
    rounds: int
    turns: int


class Conversation:
    """One node's conversation.

    Args:
        lab: the metered bench.
        llm: who is asked, as Executor and, between rounds, as Researcher.
        node: the node.
        toolbox: what the Executor may call.
        system: the Executor's system prompt.
        bounds: how long it may last.
    """

    def __init__(
        self, lab: Lab, llm: LLM, node: int, toolbox: Toolbox, system: str, bounds: Bounds
    ) -> None:
        self.lab, self.llm, self.node, self.toolbox = lab, llm, node, toolbox
        self.bounds = bounds
        self.messages: list[dict[str, Any]] = [{"role": "system", "content": system}]
        self.tokens = self.turns = 0
        self._tools = specifications()

    def hold(self, instruction: str) -> Ending:
        """Talk until the Researcher is content, the Executor gives up or a bound is met.

        Raises:
            BudgetExhausted, JobFailed: from the Lab and from the model.
        """
        for number in range(1, self.bounds.rounds + 1):
            opening = {"who": "researcher", "text": instruction}
            instruction = self._agreed(f"executor {self.node}.{number}", opening)["text"]
            self.messages.append({"role": "user", "content": instruction})
            why = self._round(number)
            if why:
                return self._ending("gave up", why, number)
            left = self.bounds.rounds - number
            following = self._review(number, instruction, left) if left else None
            if following is None:
                break
            instruction = following
        return self._ending("finished", "", number)

    def _ending(self, ended: Literal["finished", "gave up"], why: str, rounds: int) -> Ending:
        return Ending(ended, why, self.toolbox.report or "", rounds, self.turns)

    def _round(self, number: int) -> str:
        """Turns until `finish`; "" then, else why it came to nothing."""
        self.toolbox.report = None
        idle = refused = 0
        for turn in range(1, self.bounds.turns + 1):
            if self.tokens >= self.bounds.tokens:
                return f"the conversation used {self.tokens} tokens, {self.bounds.tokens} are let"
            key = f"executor {self.node}.{number}.{turn}"
            reply = ask(self.lab, self.llm, key, self.messages, tools=self._tools)
            self.turns += 1
            self.tokens += reply.usage.tokens
            self.messages.append(_readable(said(reply)))
            refused += reply.finish == "refused"
            idle = 0 if reply.calls else idle + 1
            if refused >= _MOST_REFUSALS or idle >= _MOST_IDLE:
                return _complaint(reply, refused)
            self._answer(key, reply)
            if self.toolbox.report is not None:
                return ""
        return f"the {self.bounds.turns} turns of round {number} ended without finish"

    def _answer(self, key: str, reply: Reply) -> None:
        """Do what a reply calls for, or say that it called for nothing."""
        if not reply.calls:
            cut = "Your reply was cut at its limit of tokens. " if reply.finish == "length" else ""
            self.messages.append(
                {"role": "user", "content": f"{cut}Call a tool; finish when the work is done."}
            )
        for index, call in enumerate(reply.calls):
            if self.toolbox.report is not None:
                text = "not done: the round is over"
            elif index >= _MOST_CALLS:
                text = f"not done: at most {_MOST_CALLS} calls a turn"
            else:
                text = self._call(f"{key}.{index}", call)
            self.messages.append({"role": "tool", "tool_call_id": call.id, "content": text})

    def _call(self, key: str, call: ToolCall) -> str:
        """One tool's outcome, made once; files are as they were if it was cut short before."""

        def data(outcome: Outcome) -> tuple[Any, Usage]:
            said_of = {"who": "tool", "name": call.name, "arguments": call.arguments}
            tried = [asdict(attempt) for attempt in outcome.tried]
            return {**said_of, "text": outcome.text, "ok": outcome.ok, "tried": tried}, Usage()

        def make() -> tuple[Any, Usage]:
            if call.name in Toolbox.changing:
                self.toolbox.workspace.hold(key.partition(" ")[2])
            return data(self.toolbox.call(call, key))

        purpose = f"{call.name} in node {self.node}"
        if call.name in Toolbox.of_lab:
            outcome = self.toolbox.call(call, key)
            value = self.lab.call(key, Usage(), lambda: data(outcome), purpose)
        else:
            value = self.lab.call(key, Usage(), make, purpose)
        for number, attempt in enumerate(value["tried"]):
            name = f"attempt {key.partition(' ')[2]}" + (f"#{number + 1}" if number else "")
            self._agreed(name, {"node": self.node, "tool": call.name, **attempt})
        return str(value["text"])

    def _review(self, number: int, instruction: str, left: int) -> str | None:
        following, tokens = review(
            self.lab,
            self.llm,
            f"{self.node}.{number}",
            left,
            instruction=instruction,
            status=self.toolbox.jobs.status(),
            report=self.toolbox.report or "",
        )
        self.tokens += tokens
        return following

    def _agreed(self, key: str, value: Mapping[str, Any]) -> dict[str, Any]:
        known: dict[str, Any] = self.lab.agree(key, lambda: dict(value))
        return known


def _complaint(reply: Reply, refused: int) -> str:
    if refused >= _MOST_REFUSALS:
        return f"the model refused {refused} times: {reply.text[:200]!r}"
    return f"the model called no tool in {_MOST_IDLE} replies: {reply.text[:200]!r}"


def _readable(message: dict[str, Any]) -> dict[str, Any]:
    """The message as a server takes it back: arguments that are no JSON object become none."""
    for call in message.get("tool_calls", ()):
        if arguments_of(call["function"]["arguments"]) is None:
            call["function"]["arguments"] = "{}"
    return message
