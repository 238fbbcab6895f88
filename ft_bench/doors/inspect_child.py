"""InspectChild: an Inspect agent's process; `python -m ft_bench.doors.inspect_child FILE`.

The agent is the solver of a task with one sample, whose input is the prompt of the run. The Lab's
verbs are tools that the solver is given; every request to the model is a call at the Lab.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from ft_bench.digest import digest
from ft_bench.doors.python_agent import imported, is_file
from ft_bench.errors import AgentFailed, FtBenchError, PrerequisiteError, UsageError
from ft_bench.wire import Line, address

__all__ = ["main"]

_VERBS: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "lab_brief": ("The task, its data and its limits.", {}),
    "lab_budget": ("What is left of each limit; null is no limit.", {}),
    "lab_tree": ("All nodes so far, with their scores.", {}),
    "lab_propose": (
        "Open a node. The first has no parent; every other has one and costs an iteration.",
        {
            "parent": ("integer", "the parent node; leave it out for the first node"),
            "plan": ("object", "strategy, objective, recipe and variants, as in the prompt"),
        },
    ),
    "lab_build": (
        "Make the dataset of a node's plan; answers its hash.",
        {"node": ("integer", "the node"), "variant": ("integer", "the variant, from 0")},
    ),
    "lab_train": (
        "Train one variant; answers the model's name.",
        {
            "node": ("integer", "the node"),
            "variant": ("integer", "the variant, from 0"),
            "dataset": ("string", "the hash that lab_build gave"),
        },
    ),
    "lab_evaluate": ("Score a model on validation.", {"model": ("string", "such as n0v0")}),
    "lab_conclude": ("Close a node.", {"node": ("integer", "the node")}),
    "lab_submit": (
        "Name the model that goes to the sealed test.",
        {"model": ("string", "such as n0v0"), "reason": ("string", "why this one")},
    ),
}
_OPTIONAL = {"parent", "variant", "reason"}
_SHOWN = 8000


def main(path: Path) -> int:
    """Run the agent; the exit code."""
    spec = json.loads(path.read_text("utf-8"))
    try:
        return _evaluated(spec)
    except FtBenchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _evaluated(spec: dict[str, Any]) -> int:
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.dataset import Sample
    from inspect_ai.solver import chain, use_tools

    ended: dict[str, FtBenchError] = {}
    prompt = Path(os.environ["FT_BENCH_PROMPT"]).read_text("utf-8")
    tools = [_tool(name, ended) for name in _VERBS]
    solver = chain(use_tools(tools), _solver(spec, tools))
    (log,) = inspect_eval(
        Task(dataset=[Sample(input=prompt)], solver=solver),
        model=_metered(spec["model"], int(spec["tokens"])),
        message_limit=int(spec["messages"]),
        display="none",
        log_dir=str(Path(os.environ["FT_BENCH_WORKSPACE"]) / "inspect"),
        score=False,
    )
    if "budget" in ended:
        raise ended["budget"]
    if log.status != "success":
        raise AgentFailed(log.error.message if log.error else f"Inspect ended with {log.status}")
    return 0


def _solver(spec: dict[str, Any], tools: list[Any]) -> Any:
    """The agent as a solver; an agent function that takes `tools` is given the Lab's."""
    import inspect

    from inspect_ai.agent import as_solver

    make = _agent_of(spec["agent"])
    wants = "tools" in inspect.signature(make).parameters
    return as_solver(make(tools=tools) if wants else make())


def _agent_of(given: str) -> Any:
    """The function that makes the agent.

    Raises:
        UsageError: where Inspect knows no such agent, or the file has none.
    """
    if is_file(given):
        path, _, name = given.partition(":")
        found = getattr(imported(Path(path)), name, None)
    else:
        from inspect_ai._util.entrypoints import ensure_entry_points
        from inspect_ai._util.registry import registry_lookup

        ensure_entry_points(given.partition("/")[0])
        found = registry_lookup("agent", given)
    if not callable(found):
        raise UsageError(f"Inspect knows no agent {given!r}; register it under its entry point")
    return found


def _asked(verb: str, args: dict[str, Any]) -> Any:
    line = Line(*address(os.environ))
    try:
        return line.ask(verb, args)
    finally:
        line.close()


def _tool(name: str, ended: dict[str, FtBenchError]) -> Any:
    """One verb of the Lab as a tool; a refusal is an answer that the model can read."""
    from inspect_ai.tool import ToolDef, ToolError, ToolParams
    from inspect_ai.util import JSONSchema

    text, fields = _VERBS[name]

    async def call(**args: Any) -> str:
        given = {key: value for key, value in args.items() if value is not None}
        try:
            answer = _asked(name.removeprefix("lab_"), given)
        except PrerequisiteError:
            raise
        except FtBenchError as error:
            if error.exit_code == 4:
                ended["budget"] = error
            raise ToolError(str(error)) from error
        return json.dumps(answer)[:_SHOWN]

    properties = {
        key: JSONSchema(type=kind, description=about) for key, (kind, about) in fields.items()
    }
    required = [key for key in fields if key not in _OPTIONAL]
    parameters = ToolParams(properties=properties, required=required)
    return ToolDef(call, name=name, description=text, parameters=parameters).as_tool()


def _metered(name: str, tokens: int) -> Any:
    """Inspect's model, each request of which is a call at the Lab.

    Tokens are set aside before a request and settled after it. The answer is journalled, so that
    after a restart the same conversation is answered without asking or paying again.
    """
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    model = get_model(name)
    ask, number = model.api.generate, 0

    async def generate(input: Any, *rest: Any, **more: Any) -> Any:
        nonlocal number
        number += 1
        said = digest([message.model_dump(mode="json", exclude={"id"}) for message in input])
        line = Line(*address(os.environ))
        try:
            key = f"inspect {number} {said[:16]}"
            reserve = {"tokens": tokens}
            answer = line.ask("call", {"key": key, "reserve": reserve, "purpose": name})
            if not answer["known"]:
                found = await ask(input, *rest, **more)
                output = found[0] if isinstance(found, tuple) else found
                if isinstance(output, Exception):
                    raise output
                answer = line.ask("settle", _settled(output, tokens))
            output = ModelOutput.model_validate(answer["value"])
            output.usage = output.usage or ModelUsage()
            return output
        finally:
            line.close()

    model.api.generate = generate
    return model


def _settled(output: Any, tokens: int) -> dict[str, Any]:
    """What a request used; a model that does not say is charged what was set aside."""
    used = output.usage.total_tokens if output.usage is not None else tokens
    return {"value": output.model_dump(mode="json"), "used": {"tokens": used}}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
