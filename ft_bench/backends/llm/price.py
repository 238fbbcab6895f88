"""Price: what a model's tokens cost, from the options or from litellm's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ft_bench.backends.llm.options import LlmOptions

__all__ = ["Price", "price_in_table", "price_of"]

_LONG = 128_000


@dataclass(frozen=True, slots=True)
class Price:
    """USD for one token of input and of output; `long_*` hold beyond 128,000 tokens of input."""

    asked: float
    said: float
    long_asked: float
    long_said: float

    def usd(self, asked: int, said: int) -> float:
        """The price of one call, never less than the vendor's: discounts are not counted."""
        if asked > _LONG:
            return asked * self.long_asked + said * self.long_said
        return asked * self.asked + said * self.said


def price_of(options: LlmOptions, table: Mapping[str, Any], *names: str) -> Price | None:
    """The price given in the options, else that of the first name the table knows.

    A price of nothing counts as unknown: litellm writes 0 for models whose price it lacks.
    """
    if options.usd_per_million_in is not None and options.usd_per_million_out is not None:
        asked, said = options.usd_per_million_in / 1e6, options.usd_per_million_out / 1e6
        return Price(asked, said, asked, said)
    found = (price_in_table(table.get(name) or {}) for name in names)
    return next((price for price in found if price is not None), None)


def price_in_table(entry: Mapping[str, Any]) -> Price | None:
    """The price in an entry of litellm's table, None where it is missing or 0.

    Of prices by length of the input the highest stands for all inputs over 128,000 tokens, and
    of a list of tiers for all inputs.
    """
    tiers = entry.get("tiered_pricing") or []
    highest = []
    for side in ("input", "output"):
        name = f"{side}_cost_per_token"
        flat = float(entry.get(name) or 0.0)
        tiered = [float(tier.get(name) or 0.0) for tier in tiers]
        base = max([flat, *tiered])
        above = [float(v) for k, v in entry.items() if k.startswith(f"{name}_above_") and v]
        highest.append((base, max([base, *above])))
    (asked, long_asked), (said, long_said) = highest
    return Price(asked, said, long_asked, long_said) if asked and said else None
