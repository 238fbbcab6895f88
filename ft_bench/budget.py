"""Budget: fixed limits, and a meter of reservations and settlements that never passes them.

Work is paid for before it is done: `reserve` refuses what would overrun, `settle` replaces the
reserved amount by what was used. Spent amounts never go down; what a dead process had reserved is
settled when the run is taken up again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ft_bench.errors import BudgetExhausted
from ft_bench.record import Called, Planned, Reserved, Settled, Usage

__all__ = ["Budget", "Meter"]

_UNITS = {
    "iterations": "iterations",
    "device_seconds": "device-seconds",
    "wall_seconds": "seconds",
    "tokens": "tokens",
    "usd": "USD",
}


class Budget(BaseModel):
    """The limits of one run; None is no limit. `samples` caps the rows of one dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    iterations: int = Field(default=20, ge=0)
    device_seconds: float | None = Field(default=86_400.0, ge=0)
    wall_seconds: float | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    usd: float | None = Field(default=None, ge=0)
    samples: int = Field(default=50_000, gt=0)
    variants: int = Field(default=5, gt=0, le=8)

    def limit(self, name: str) -> float | None:
        """The limit called `name`, None where there is none."""
        value: float | None = getattr(self, name)
        return value


class Meter:
    """What is spent and what is reserved, against a Budget. Not thread-safe; the Lab locks."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.spent = Usage()
        self.open: dict[str, Usage] = {}

    @classmethod
    def of(cls, budget: Budget, bodies: Iterable[Any]) -> Meter:
        """Fold a journal's bodies, oldest first."""
        meter = cls(budget)
        for body in bodies:
            meter.apply(body)
        return meter

    def apply(self, body: Any) -> None:
        """Take one event into account; plans, reservations, settlements, calls."""
        match body:
            case Planned(parent=int()):
                self.spent = self.spent.plus(Usage(iterations=1))
            case Reserved():
                self.open[body.reservation] = body.amount
            case Settled() | Called():
                self.open.pop(body.reservation, None)
                self.spent = self.spent.plus(body.used)
            case _:
                pass

    def remaining(self, name: str) -> float:
        """What may still be reserved of `name`; infinite where there is no limit."""
        limit = self.budget.limit(name)
        if limit is None:
            return float("inf")
        taken = getattr(self.spent, name) + sum(getattr(use, name) for use in self.open.values())
        return max(0.0, float(limit - taken))

    def check(self, amount: Usage, purpose: str) -> None:
        """Refuse what would overrun.

        Raises:
            BudgetExhausted: names the limit, what is left, what was asked for and the flag.
        """
        for name, unit in _UNITS.items():
            asked, left = getattr(amount, name), self.remaining(name)
            if asked > left:
                raise BudgetExhausted(
                    name,
                    f"{purpose} needs {asked:g} {unit} but {left:g} of {self.budget.limit(name):g} "
                    f"are left; raise --budget.{_flag(name)}",
                )


def _flag(name: str) -> str:
    return {"device_seconds": "device-hours", "wall_seconds": "wall"}.get(name, name)
