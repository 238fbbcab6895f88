"""Interrupt: Ctrl-C reaches a program that waits, whatever its libraries have set."""

from __future__ import annotations

import signal

__all__ = ["interruptible"]


def interruptible() -> None:
    """Have the system end a wait when Ctrl-C is pressed, in place of beginning it again.

    Polars, once imported, asks for the latter: a question on the terminal, or a wait for a
    training, would hear of Ctrl-C only when it is over. To be called before a wait.
    """
    signal.siginterrupt(signal.SIGINT, True)
