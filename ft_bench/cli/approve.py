"""Approve: asks a person on the terminal before each node: yes, no, or a note first."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from ft_bench.cli._interrupt import interruptible
from ft_bench.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from ft_bench.plan import ExperimentPlan
    from ft_bench.protocols import Answer
    from ft_bench.tree import Tree

__all__ = ["ask", "check_terminal"]

_CHOICES = "Run it? [y]es, [n]o, [e]dit a note: "


def check_terminal() -> None:
    """Refuse to go on where there is nobody to ask.

    Raises:
        UsageError: where standard input or standard error is no terminal.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "--approve asks on a terminal and there is none; run it in a terminal, or leave "
            "--approve out"
        )


def ask(tree: Tree, parent: int, plan: ExperimentPlan) -> Answer:
    """Show a plan and ask about it until the answer is yes or no.

    Raises:
        Interrupted: where the terminal was closed.
    """
    from ft_bench.protocols import Answer

    _say(_shown(tree, parent, plan))
    notes: list[str] = []
    while True:
        answer = _asked(_CHOICES).lower()
        note = "\n".join(notes)
        if answer in ("y", "yes"):
            return Answer(yes=True, note=note)
        if answer in ("n", "no"):
            reason = _asked("Why not? (Enter for no reason) ")
            return Answer(yes=False, reason=reason, note=note)
        if answer in ("e", "edit"):
            notes.append(_asked("Note for the rest of the run: "))
            _say("It is read before the next node is chosen.")


def _shown(tree: Tree, parent: int, plan: ExperimentPlan) -> str:
    from ft_bench.report.tree_text import plan_text

    return plan_text(tree, parent, plan, shutil.get_terminal_size((80, 40)).columns)


def _say(text: str) -> None:
    sys.stderr.write(text.rstrip("\n") + "\n")
    sys.stderr.flush()


def _asked(prompt: str) -> str:
    """A line from the terminal.

    Raises:
        Interrupted: where the terminal was closed.
    """
    interruptible()
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise Interrupted("nobody answers any more; the same command takes the run up again")
    return line.strip()
