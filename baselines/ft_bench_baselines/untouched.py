"""Untouched: the base model as it is; what any agent has to beat."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from ft_bench.protocols import Lab

__all__ = ["Untouched"]


class NoOptions(BaseModel):
    """No options."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Untouched:
    """Does nothing and submits the base."""

    name = "untouched"
    Options = NoOptions

    def __init__(self, options: NoOptions, backend: object) -> None:
        self.options = options

    def run(self, lab: Lab) -> None:
        """Submit the base model."""
        lab.submit("base", "the base model is the entry")
