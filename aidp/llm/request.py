"""Request: one question to a language model, and its reply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from aidp.fingerprint import digest_json

Turns = tuple[Mapping[str, str], ...]
CHARACTERS_PER_TOKEN = 2.5
TOKENS_PER_TURN = 8


@dataclass(frozen=True)
class Request:
    """What is asked, of which model, with which sampling.

    Attributes:
        model: The model's name as its server knows it.
        turns: Messages of role and content.
        params: Sampling options that go to the server, such as temperature and max_tokens.
        sample: Tells apart several draws of the same question.
    """

    model: str
    turns: Turns
    params: Mapping[str, Any] = field(default_factory=dict)
    sample: int = 0

    @cached_property
    def key(self) -> str:
        """The digest that the journal knows it by."""
        return digest_json([self.model, list(self.turns), dict(self.params), self.sample])

    @property
    def max_prompt_tokens(self) -> int:
        """A cautious estimate of the tokens of the question, for reserving budget."""
        characters = sum(len(turn["content"].encode()) for turn in self.turns)
        return int(characters / CHARACTERS_PER_TOKEN) + TOKENS_PER_TURN * len(self.turns)

    @property
    def max_completion_tokens(self) -> int:
        """The most tokens of the reply."""
        return int(self.params["max_tokens"])

    def followed_by(self, reply: str, remark: str) -> Request:
        """The request that repeats this one with its reply and a remark about it."""
        more = ({"role": "assistant", "content": reply}, {"role": "user", "content": remark})
        return Request(self.model, (*self.turns, *more), self.params, self.sample)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said, or why there is no answer.

    Attributes:
        content: The text; empty when `error` is set.
        prompt_tokens: As the server counted.
        completion_tokens: As the server counted.
        error: Why there is no answer; None when there is one.
        journalled: Whether it came from the journal, so that nothing was paid.
    """

    content: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str | None = None
    journalled: bool = False
