"""Plain sandboxes: the entry points `sandbox.none` and `sandbox.process`.

Neither hides a file or the network. `none` is for programs that one trusts like one's own shell;
`process` keeps honest programs within their limits and their environment clean.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from ft_bench.backends.sandbox import confined
from ft_bench.backends.sandbox.warden import Order
from ft_bench.protocols import Cell

__all__ = ["Open", "Process"]


class Open:
    """No isolation: the harness's environment and no limit but time; the tree is ended with it."""

    name = "none"

    def check(self) -> None:
        """Nothing is needed."""

    def start(
        self,
        command: Sequence[str],
        cell: Cell,
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> confined.WardedProgram:
        """Start a program with the harness's own environment, plus the cell's."""
        workspace = str(cell.workspace)
        order = Order(
            command=["/bin/sh", "-c", 'exec "$0" "$@"', *command],
            env={**os.environ, **cell.env},
            cwd=workspace,
            workspace=workspace,
            seconds=cell.limits.seconds,
        )
        return confined.start(order, (stdin, stdout, stderr))


class Process:
    """A session of its own, limits, and an environment with nothing of the harness's."""

    name = "process"

    def check(self) -> None:
        """Whether there is a `/proc` to find processes in."""
        confined.check()

    def start(
        self,
        command: Sequence[str],
        cell: Cell,
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> confined.WardedProgram:
        """Start a program within the cell's limits; it may read what the user may read."""
        order = confined.order_of(
            confined.behind_shell(command, cell), cell, confined.environment(cell)
        )
        return confined.start(order, (stdin, stdout, stderr))
