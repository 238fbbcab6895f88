"""LlmOptions: what `-B key=value` may set of a language model behind an agent."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ft_bench.errors import ConfigError, UnknownName

__all__ = ["LlmOptions", "read_options"]


class LlmOptions(BaseModel):
    """How a model is reached.

    `model` is its name as litellm writes it, with or without the provider; `base_url` the address
    of an OpenAI-compatible server; `api_key_env` the variable that holds the key. `timeout` is the
    seconds until an attempt is given up, `retries` how often one that was not charged is made
    anew, `backoff` the seconds before the first of these; they double. `max_tokens` takes the
    place of what the agent asks for, for models that think long. Prices are in USD.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = ""
    base_url: str = ""
    api_key_env: str = ""
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, gt=0)
    timeout: float = Field(default=600.0, gt=0)
    retries: int = Field(default=5, ge=0)
    backoff: float = Field(default=1.0, ge=0)
    usd_per_million_in: float | None = Field(default=None, ge=0)
    usd_per_million_out: float | None = Field(default=None, ge=0)


def read_options(backend: str, given: Mapping[str, str]) -> LlmOptions:
    """Options as given on the command line, checked.

    Raises:
        UnknownName: for one that does not exist.
        ConfigError: for a value of the wrong kind, or one price without the other.
    """
    for name in given:
        if name not in LlmOptions.model_fields:
            known = list(LlmOptions.model_fields)
            raise UnknownName(f"option of backend {backend}", name, known, "-B key=value")
    try:
        options = LlmOptions.model_validate(dict(given))
    except ValidationError as cause:
        first = cause.errors()[0]
        name = str(first["loc"][0])
        raise ConfigError(f"-B {name}={given.get(name)!r}: {first['msg']}") from cause
    if (options.usd_per_million_in is None) != (options.usd_per_million_out is None):
        raise ConfigError(
            "One price is given without the other; give both -B usd_per_million_in=... and "
            "-B usd_per_million_out=..."
        )
    return options
