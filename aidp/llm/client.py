"""Clients: how a request reaches a model, over plain HTTP or through litellm."""

from __future__ import annotations

import json
import os
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from aidp.errors import AidpError
from aidp.llm.request import Reply, Request

if TYPE_CHECKING:
    from aidp.llm.options import LlmOptions

TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
FATAL = frozenset({401, 403, 404})


class Transient(Exception):
    """A failure that another attempt may not meet.

    Attributes:
        wait_seconds: What the server asks to wait, 0 where it does not say.
    """

    def __init__(self, reason: str, wait_seconds: float = 0.0) -> None:
        """Keep the reason and the wait."""
        super().__init__(reason)
        self.wait_seconds = wait_seconds


class Refused(Exception):
    """A failure of this one request that another attempt would meet again."""


class Client(Protocol):
    """Sends one request at a time; entered before and left after."""

    async def __aenter__(self) -> Self:
        """Open connections."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close connections."""

    async def complete(self, request: Request) -> Reply:
        """The reply to one request.

        Raises:
            Transient: It may work next time.
            Refused: It will not.
            AidpError: No request can work: wrong key, address or model.
        """
        ...


class HttpClient:
    """An OpenAI-compatible server over plain HTTP."""

    def __init__(self, options: LlmOptions) -> None:
        """Read the key from the environment; nothing is sent yet."""
        self._options = options
        self._url = f"{(options.base_url or '').rstrip('/')}/chat/completions"
        key = os.environ.get(options.api_key_env)
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._extra = {"response_format": {"type": "json_object"}} if options.json_mode else {}
        self._session: Any = None

    async def __aenter__(self) -> Self:
        """Open the connection pool."""
        import aiohttp

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._options.max_concurrency),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._options.timeout_seconds),
            headers=self._headers,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection pool."""
        await self._session.close()

    async def complete(self, request: Request) -> Reply:
        """The reply to one request; see `Client.complete`.

        Raises:
            Transient: A time-out, a broken connection, or a status that passes.
            Refused: Another status, or a reply without content.
            AidpError: The key, the address or the model is wrong.
        """
        import aiohttp

        body = {"model": request.model, "messages": request.turns, **request.params, **self._extra}
        try:
            async with self._session.post(self._url, data=json.dumps(body).encode()) as response:
                said = await response.read()
        except (TimeoutError, aiohttp.ClientError) as error:
            raise Transient(f"{type(error).__name__}: {error}") from error
        if response.status != 200:
            self._fail(response.status, said.decode(errors="replace"), response.headers)
        try:
            return read_reply(json.loads(said))
        except ValueError as error:
            raise Transient(f"the server's answer is no JSON: {error}") from error

    def _fail(self, status: int, text: str, headers: Any) -> None:
        reason = f"HTTP {status}: {' '.join(text.split())[:200]}"
        if status in FATAL:
            raise AidpError(
                f"the model server refused with {reason}; check base_url, the model's name and "
                f"the key in {self._options.api_key_env}"
            )
        if status in TRANSIENT:
            raise Transient(reason, _seconds(headers.get("Retry-After")))
        raise Refused(reason)


class LitellmClient:
    """Any provider that litellm knows."""

    def __init__(self, options: LlmOptions) -> None:
        """Keep the options; litellm is imported at the first request."""
        self._options = options

    async def __aenter__(self) -> Self:
        """Check that litellm is there.

        Raises:
            AidpError: It is not installed.
        """
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        try:
            import litellm
            from openai import OpenAIError
        except ImportError:
            raise AidpError(
                "litellm is not installed; install it, or give the llm option base_url"
            ) from None
        self._litellm, self._error = litellm, OpenAIError
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held."""

    async def complete(self, request: Request) -> Reply:
        """The reply to one request; see `Client.complete`.

        Raises:
            Transient: litellm reports a status that passes.
            Refused: Another one.
            AidpError: The key or the model is wrong.
        """
        extra = {"response_format": {"type": "json_object"}} if self._options.json_mode else {}
        try:
            made = await self._litellm.acompletion(
                model=request.model,
                messages=list(request.turns),
                timeout=self._options.timeout_seconds,
                num_retries=0,
                **request.params,
                **extra,
            )
        except self._error as error:
            raise self._translated(error) from error
        return read_reply(made.model_dump())

    def _translated(self, error: Any) -> Exception:
        status = int(getattr(error, "status_code", 500) or 500)
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        if status in FATAL:
            return AidpError(f"litellm refused with {reason}; check the model's name and its key")
        return Transient(reason) if status in TRANSIENT else Refused(reason)


def make_client(options: LlmOptions) -> Client:
    """Plain HTTP where there is a `base_url`, else litellm."""
    return HttpClient(options) if options.base_url else LitellmClient(options)


def read_reply(body: Any) -> Reply:
    """The reply in an OpenAI-compatible answer.

    Raises:
        Refused: It has no content.
    """
    try:
        content = body["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        raise Refused("the server's answer has no choices[0].message.content") from None
    if not content:
        raise Refused("the reply is empty")
    usage = body.get("usage") or {}
    return Reply(content, usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0)


def _seconds(header: str | None) -> float:
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        return 0.0
