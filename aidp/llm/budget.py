"""Budget: tokens and USD, reserved before a call and settled after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aidp.llm.options import LlmOptions
    from aidp.llm.request import Reply, Request


@dataclass
class Budget:
    """What may be spent, what is, and what is reserved for calls in flight.

    Attributes:
        options: The limits and the prices.
        spent_tokens: Input and output tokens of settled calls.
        spent_usd: Their price.
        reserved_tokens: The most that the calls in flight can cost.
        reserved_usd: Their price.
    """

    options: LlmOptions
    spent_tokens: int = 0
    spent_usd: float = 0.0
    reserved_tokens: int = 0
    reserved_usd: float = 0.0

    def reserve(self, request: Request) -> bool:
        """Set aside the most that `request` can cost; False, and nothing, where it does not fit."""
        tokens, usd = self._most(request)
        limits = self.options.budget_tokens, self.options.budget_usd
        if limits[0] is not None and self.spent_tokens + self.reserved_tokens + tokens > limits[0]:
            return False
        if limits[1] is not None and self.spent_usd + self.reserved_usd + usd > limits[1]:
            return False
        self.reserved_tokens += tokens
        self.reserved_usd += usd
        return True

    def settle(self, request: Request, reply: Reply | None) -> None:
        """Free what was reserved for `request` and charge what `reply` cost."""
        tokens, usd = self._most(request)
        self.reserved_tokens -= tokens
        self.reserved_usd -= usd
        if reply is not None:
            self.spent_tokens += reply.prompt_tokens + reply.completion_tokens
            self.spent_usd += self.price(reply.prompt_tokens, reply.completion_tokens)

    def price(self, prompt_tokens: int, completion_tokens: int) -> float:
        """In USD; 0 where no prices are known."""
        return (
            prompt_tokens * (self.options.input_usd_per_million or 0.0)
            + completion_tokens * (self.options.output_usd_per_million or 0.0)
        ) / 1e6

    def _most(self, request: Request) -> tuple[int, float]:
        asked, said = request.max_prompt_tokens, request.max_completion_tokens
        return asked + said, self.price(asked, said)
