"""LentSandbox: a sandbox for an agent that is confined itself; the harness starts its programs.

A namespace within the agent's own would need what that forbids, so a program is run beside the
agent, in a cell of its own: it sees neither the agent's files nor its socket and token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ft_bench.errors import UsageError
from ft_bench.protocols import Cell, Ended
from ft_bench.wire import LAB_VARIABLE, Line, address

__all__ = ["LentSandbox", "lent"]


def lent(name: str, environment: Mapping[str, str]) -> LentSandbox | None:
    """The sandbox of that name, lent by the harness; None in a process that no run confines."""
    return LentSandbox(name, environment) if environment.get(LAB_VARIABLE) else None


@dataclass(slots=True)
class _Done:
    """A program that has ended before anybody could wait for it."""

    ended: Ended
    pid: int = 0

    def wait(self, timeout: float | None = None) -> Ended:
        """How it ended."""
        return self.ended

    def kill(self) -> None:
        """Nothing is left to be ended."""


class LentSandbox:
    """A `Sandbox` over the Lab's socket.

    Args:
        name: "process" or "bwrap"; none that is weaker than the agent's own.
        environment: tells where the Lab is.
    """

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self.name, self._environment = name, environment

    def check(self) -> None:
        """Whether the harness can confine programs in this way."""
        self._ask({"sandbox": self.name})

    def start(
        self,
        command: Sequence[str],
        cell: Cell,
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> _Done:
        """Run a program to its end; what it wrote, as one text, goes to `stdout`.

        A text of over 1 MiB loses its middle. The cell's workspace must lie in the run's, and the
        task's data is all that can be seen besides.

        Raises:
            UsageError: for a cell that shows more, or a program that reads.
            BudgetExhausted, PrerequisiteError: from the harness.
        """
        if stdin is not None or cell.network or cell.decoys:
            raise UsageError("a lent sandbox has no input, network or decoys; run it without")
        limits = asdict(cell.limits)
        answer = self._ask(
            {
                "sandbox": self.name,
                "command": list(command),
                "folder": cell.workspace.name,
                "env": dict(cell.env),
                "hidden": [str(path) for path in cell.hidden],
                **limits,
            }
        )
        if stdout is not None:
            with open(stdout, "wb", closefd=False) as stream:
                stream.write(answer["output"].encode("utf-8", "surrogateescape"))
        return _Done(Ended(**answer["ended"]))

    def _ask(self, args: Mapping[str, Any]) -> Any:
        line = Line(*address(self._environment))
        try:
            return line.ask("command", args)
        finally:
            line.close()
