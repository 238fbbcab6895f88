"""The example's Inspect agent with a model that follows a script in place of one that thinks."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from inspect_ai.model import (
    ChatMessageTool,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)

EXAMPLE = Path(__file__).parents[3] / "examples" / "inspect_agent.py"
spec = importlib.util.spec_from_file_location("inspect_agent", EXAMPLE)
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)
climber = example.climber


class Script:
    """What a patient model would do, as a function of what the tools answered so far."""

    def __init__(self, answers: list[str]) -> None:
        self.answers = answers

    def next(self) -> tuple[str, dict[str, Any]] | None:
        """The next call of a tool, None at the end."""
        told = iter(self.answers)
        for call in self.calls(told):
            try:
                self.last = next(told)
            except StopIteration:
                return call
        return None

    def calls(self, _: Any):
        """The whole script; `self.last` is the answer to the call before."""
        yield "lab_budget", {}
        left = json.loads(self.last)["iterations"]
        parent = None
        for number in range(left + 1):
            plan = {
                "strategy": "adjust_training_scheme" if number else "establish_baseline",
                "objective": f"rate {number}",
                "variants": [{"lr": 3e-4 * (number + 1), "samples": 600}],
            }
            yield "lab_propose", {"plan": plan} | ({} if parent is None else {"parent": parent})
            if "budget" in self.last or not self.last.startswith("{"):
                break
            node, parent = json.loads(self.last)["node"], 0
            yield "lab_build", {"node": node}
            dataset = json.loads(self.last)["dataset"]
            yield "lab_train", {"node": node, "variant": 0, "dataset": dataset}
            if self.last.startswith("{"):
                yield "lab_evaluate", {"model": f"n{node}v0"}
            refused = "are left" in self.last
            yield "lab_conclude", {"node": node}
            if refused or json.loads(self.last)["status"] == "failed":
                break
        yield "submit", {"answer": "done"}


@modelapi(name="scripted")
class Scripted(ModelAPI):
    """Follows the script; says what it used, so that no tokenizer is looked for."""

    async def generate(self, input: Any, tools: Any, tool_choice: Any, config: Any) -> ModelOutput:
        """One call of a tool."""
        answers = [
            message.error.message if message.error else message.text
            for message in input
            if isinstance(message, ChatMessageTool)
        ]
        name, args = Script(answers).next() or ("submit", {"answer": "done"})
        output = ModelOutput.for_tool_call(self.model_name, name, args)
        output.usage = ModelUsage(input_tokens=90, output_tokens=10, total_tokens=100)
        return output
