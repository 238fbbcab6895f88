"""Scripts: what a scripted language model says, in parts that each know one conversation.

A part answers what is its business and returns None for anything else, so that parts written by
different hands are played together: `played(researcher, executor)`.
"""

from __future__ import annotations

from collections.abc import Callable

from ft_bench.testing.scripted_llm import Answer, Asked, Script, say

__all__ = ["Part", "played", "trex_on_mini"]

Part = Callable[[Asked], Answer | None]


def played(*parts: Part) -> Script:
    """One script of several parts: the first that has an answer gives it."""

    def script(asked: Asked) -> Answer:
        for part in parts:
            answer = part(asked)
            if answer is not None:
                return answer
        return say("I have nothing to say to that.")

    return script


trex_on_mini: Script = played()
"""A TREX Researcher, and whatever else of TREX asks a model, on the built-in task."""
