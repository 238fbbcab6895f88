"""Ladder: from the name of a rung to whoever carries nodes out."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Literal

from ft_bench import registry
from ft_bench.errors import PrerequisiteError, UsageError
from ft_bench.lent_sandbox import lent
from ft_bench.protocols import LLM, Cell, Sandbox
from trex_agent.executor.code import Code
from trex_agent.executor.conversation import Bounds
from trex_agent.executor.openhands import OpenHands, Remote
from trex_agent.executor.recipe import Run, run_node, run_plain

__all__ = ["Confinement", "Rung", "executor_of"]

Rung = Literal["recipe", "code", "openhands"]
Confinement = Literal["bwrap", "process"]


def executor_of(
    rung: Rung,
    llm: LLM | None,
    *,
    aidp: bool,
    bounds: Bounds,
    sandbox: Confinement,
    remote: Remote,
) -> Run:
    """The executor of a rung, ready for work.

    Raises:
        UsageError: for a rung that needs a language model, without one.
        PrerequisiteError: where this machine cannot confine programs as asked, or no agent server
            answers.
    """
    if rung == "recipe":
        return run_node if aidp else run_plain
    if llm is None:
        raise UsageError(
            f"-A executor={rung} needs a language model, which --backend offline does not give; "
            "choose --backend gemini or another, or leave -A executor=recipe"
        )
    if rung == "openhands":
        away = OpenHands(llm, remote, aidp, bounds)
        away.server.check()
        return away
    return Code(llm, _confining(sandbox), aidp, bounds)


def _confining(name: Confinement) -> Sandbox:
    """The sandbox of that name, tried out; the harness's where this agent is confined itself.

    Raises:
        PrerequisiteError: says what is missing.
    """
    sandbox_lent = lent(name, os.environ)
    if sandbox_lent is not None:
        sandbox_lent.check()
        return sandbox_lent
    sandbox: Sandbox = registry.backend("sandbox", name)()
    with tempfile.TemporaryDirectory() as folder:
        try:
            ended = sandbox.start(["true"], Cell(workspace=Path(folder))).wait()
        except PrerequisiteError as cause:
            raise PrerequisiteError(
                f"-A executor=code runs a model's commands in a sandbox, which fails: {cause}; "
                f"-A sandbox=process runs them with limits but hides nothing from them"
            ) from cause
    if ended.returncode != 0:
        raise PrerequisiteError(f"the sandbox {name!r} cannot run a program here: {ended}")
    return sandbox
