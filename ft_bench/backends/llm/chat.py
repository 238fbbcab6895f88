"""Chat: a language model reached through litellm."""

from __future__ import annotations

import json
import logging
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ft_bench.backends.llm.failures import answer_of, failure_of, wait_of
from ft_bench.backends.llm.options import LlmOptions
from ft_bench.backends.llm.price import price_of
from ft_bench.errors import FtBenchError, ModelFailed, PrerequisiteError, boundary
from ft_bench.protocols import Reply, ToolCall
from ft_bench.record import Usage

__all__ = ["ChatModel", "litellm_module"]

Messages = Sequence[Mapping[str, Any]]
_LOG = logging.getLogger("ft_bench.llm")
_PER_MESSAGE = 16
_PER_REQUEST = 64


def litellm_module() -> Any:
    """litellm, kept from the network and from talking by itself.

    Raises:
        PrerequisiteError: where it is not installed.
    """
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its types are built late, and not without a word
            import litellm

            litellm.ModelResponse()
    except ImportError as cause:
        raise PrerequisiteError(
            f"litellm cannot be imported ({cause}); run pip install 'ft-bench[llm]'"
        ) from cause
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.drop_params = True
    return litellm


class ChatModel:
    """One model of one vendor.

    Args:
        model: its full name in litellm, "provider/model".
        options: checked.
        key: the variable that holds the key.
        api_key: the key, None where litellm finds it by itself.
    """

    def __init__(self, model: str, options: LlmOptions, key: str, api_key: str | None) -> None:
        self.name, self.options, self._key, self._api_key = model, options, key, api_key
        self._litellm = litellm_module()
        table = self._litellm.model_cost
        self._price = price_of(options, table, model, model.partition("/")[2])

    @property
    def priced(self) -> bool:
        """Whether USD can be told; where they cannot, they are counted as 0."""
        return self._price is not None

    def worst(self, messages: Messages, tools: Messages, max_tokens: int) -> Usage:
        """The most that one call can use: a token of the input is at least one byte of it."""
        asked = len(_clean([*messages, *tools]))
        asked += _PER_REQUEST + _PER_MESSAGE * (len(messages) + len(tools))
        said = self._most_said(max_tokens)
        return Usage(tokens=asked + said, usd=self._usd(asked, said))

    def complete(
        self, messages: Messages, *, tools: Messages = (), max_tokens: int = 4096
    ) -> Reply:
        """One answer; an attempt that cost nothing is made anew after a pause.

        Raises:
            ModelFailed: with the vendor's own words.
        """
        for attempt in range(1, self.options.retries + 2):
            try:
                return self._attempt(messages, tools, max_tokens)
            except ModelFailed as failure:
                again = failure.transient and not failure.charged
                if not again or attempt > self.options.retries:
                    raise
                wait = self.options.backoff * 2 ** (attempt - 1)
                wait = wait_of(failure, wait)
                of = f"{attempt} of {self.options.retries}"
                _LOG.warning("%s; trying again in %.1f s (%s)", failure.cause, wait, of)
                time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self, messages: Messages, tools: Messages, max_tokens: int) -> Reply:
        worst = self.worst(messages, tools, max_tokens)
        request = self._request(messages, tools, max_tokens)
        try:
            with boundary(FtBenchError, f"{self.name} was asked"):
                return self._reply(self._litellm.completion(**request).model_dump(), worst)
        except FtBenchError as failed:
            error = failed.__cause__
            if not isinstance(error, Exception):
                raise
            if finish := answer_of(error):
                return Reply("", (), finish, Usage(), self.name)
            raise failure_of(error, self.name, self._key) from error

    def _request(self, messages: Messages, tools: Messages, max_tokens: int) -> dict[str, Any]:
        options = self.options
        optional = {
            "tools": json.loads(_clean(list(tools))) or None,
            "api_base": options.base_url or None,
            "api_key": self._api_key,
            "temperature": options.temperature,
        }
        return {
            "model": self.name,
            "messages": json.loads(_clean(list(messages))),
            "max_tokens": self._most_said(max_tokens),
            "timeout": options.timeout,
            "num_retries": 0,
            "max_retries": 0,
            **{name: value for name, value in optional.items() if value is not None},
            **({"_skip_mcp_handler": True} if tools else {}),  # it would need a further package
        }

    def _reply(self, body: Mapping[str, Any], worst: Usage) -> Reply:
        """An answer in OpenAI's format as ours; one without usage is charged as the worst."""
        if not body.get("choices"):
            text = f"{self.name} gave no answer: the body has no choices"
            raise ModelFailed(text, charged=True, transient=True)
        choice = body["choices"][0]
        message = choice.get("message") or {}
        calls = tuple(
            ToolCall(
                id=str(call.get("id") or f"call_{n}"),
                name=str(call["function"].get("name") or ""),
                arguments=str(call["function"].get("arguments") or "{}"),
            )
            for n, call in enumerate(message.get("tool_calls") or [])
        )
        refused = bool(message.get("refusal") or _field(message, "refusal"))
        finish = (
            "refused"
            if refused
            else "calls"
            if calls
            else _FINISH.get(str(choice.get("finish_reason")), "stop")
        )
        used = self._usage(body.get("usage") or {}, worst)
        model = str(body.get("model") or self.name)
        return Reply(str(message.get("content") or ""), calls, finish, used, model)

    def _usage(self, usage: Mapping[str, Any], worst: Usage) -> Usage:
        asked = int(usage.get("prompt_tokens") or 0)
        said = int(usage.get("completion_tokens") or 0)
        if not asked + said:
            return worst
        total = max(asked + said, int(usage.get("total_tokens") or 0))
        return Usage(tokens=total, usd=self._usd(asked, total - asked))

    def _usd(self, asked: int, said: int) -> float:
        return self._price.usd(asked, said) if self._price else 0.0

    def _most_said(self, max_tokens: int) -> int:
        return self.options.max_tokens or max_tokens


_FINISH = {"length": "length", "content_filter": "refused"}


def _field(message: Mapping[str, Any], name: str) -> Any:
    return (message.get("provider_specific_fields") or {}).get(name)


def _clean(messages: Sequence[Mapping[str, Any]]) -> bytes:
    """As JSON in UTF-8, lone surrogates replaced: a client would choke on them."""
    return json.dumps([dict(item) for item in messages], ensure_ascii=False).encode(
        "utf-8", "replace"
    )
