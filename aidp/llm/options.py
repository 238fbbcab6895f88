"""LlmOptions: which model is asked, how, and for how much at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from aidp.errors import AidpError, did_you_mean
from aidp.parameters import fits


@dataclass(frozen=True, slots=True)
class LlmOptions:
    """The `llm` option of an operator, checked.

    Attributes:
        model: The model's name.
        base_url: Of an OpenAI-compatible server, such as `http://localhost:8000/v1`; without
            it the request goes through litellm.
        api_key_env: The environment variable with the key; unset sends none.
        temperature: Of sampling.
        max_tokens: Of a reply.
        max_concurrency: Requests in flight at most.
        retries: Times a transient failure is tried again.
        backoff_seconds: Before the first retry; doubles each time.
        timeout_seconds: For one attempt.
        repairs: Times a malformed structured reply is sent back.
        json_mode: Whether the server is asked for a JSON object.
        budget_tokens: Input and output together at most, in this call of the operator.
        budget_usd: Spent at most; needs both prices with `base_url`.
        input_usd_per_million: Price of a million input tokens.
        output_usd_per_million: Price of a million output tokens.
        journal: A JSONL file of replies; a request found there is not sent.
    """

    model: str
    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    temperature: float = 0.7
    max_tokens: int = 512
    max_concurrency: int = 16
    retries: int = 4
    backoff_seconds: float = 0.5
    timeout_seconds: float = 120.0
    repairs: int = 1
    json_mode: bool = False
    budget_tokens: int | None = None
    budget_usd: float | None = None
    input_usd_per_million: float | None = None
    output_usd_per_million: float | None = None
    journal: str | None = None

    @property
    def sampling(self) -> dict[str, Any]:
        """The options that go to the server."""
        return {"temperature": self.temperature, "max_tokens": self.max_tokens}


_KINDS: Mapping[str, Any] = {
    "model": str,
    "base_url": str | None,
    "api_key_env": str,
    "temperature": float,
    "max_tokens": int,
    "max_concurrency": int,
    "retries": int,
    "backoff_seconds": float,
    "timeout_seconds": float,
    "repairs": int,
    "json_mode": bool,
    "budget_tokens": int | None,
    "budget_usd": float | None,
    "input_usd_per_million": float | None,
    "output_usd_per_million": float | None,
    "journal": str | None,
}


def read_options(given: Mapping[str, Any]) -> LlmOptions:
    """`given` as options.

    Raises:
        AidpError: One is unknown, of the wrong type or out of range, or the model is missing.
    """
    names = {field.name for field in fields(LlmOptions)}
    for name, value in given.items():
        if name not in names:
            raise AidpError(f"llm has an unknown option {name!r}; {did_you_mean(name, names)}")
        if not fits(value, _KINDS[name]):
            raise AidpError(f"llm option {name!r} is {value!r}, expected {_KINDS[name]}")
    if not given.get("model"):
        raise AidpError("llm has no 'model'; give the model's name")
    options = LlmOptions(**given)
    if options.max_tokens < 1 or options.max_concurrency < 1:
        raise AidpError("llm options max_tokens and max_concurrency must be at least 1")
    _check_prices(options)
    return options


def _check_prices(options: LlmOptions) -> None:
    prices = (options.input_usd_per_million, options.output_usd_per_million)
    if options.budget_usd is not None and None in prices:
        raise AidpError(
            "budget_usd needs both prices; give input_usd_per_million and output_usd_per_million"
        )
