"""Failures: what went wrong between us and a vendor, and whether it may cost something.

A vendor that answers with an error charges nothing. A connection that was cut, or an answer that
never came, may stand on the bill.
"""

from __future__ import annotations

from collections.abc import Iterator

from ft_bench.errors import ModelFailed

__all__ = ["answer_of", "failure_of", "wait_of"]

_REFUSED = ("content_policy_violation", "content_filter", "usage policy", "safety system")
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_KEYS = frozenset({401, 403})
_NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "ClientConnectorError"})
_CUT = frozenset(
    {
        "APIConnectionError",
        "APIResponseValidationError",
        "APITimeoutError",
        "JSONDecodeError",
        "ReadError",
        "ReadTimeout",
        "RemoteProtocolError",
        "Timeout",
        "WriteTimeout",
    }
)
_MOST_WAIT = 120.0


def answer_of(error: Exception) -> str:
    """What an error says as an answer: "refused" by a filter, "length" where the conversation is
    longer than the model reads; "" where it is a failure.
    """
    if type(error).__name__ == "ContextWindowExceededError":
        return "length"
    text = str(error).lower()
    filtered = getattr(error, "status_code", 0) == 400 and any(word in text for word in _REFUSED)
    return "refused" if filtered else ""


def failure_of(error: Exception, model: str, key: str) -> ModelFailed:
    """An exception of litellm as ours.

    Args:
        error: what was raised.
        model: who was asked, for the sentence.
        key: the variable that holds the key, for the remedy.
    """
    names = {type(item).__name__ for item in _chain(error)}
    text = " ".join(str(error).split())[:300]
    said = f"{model} gave no answer: {type(error).__name__}: {text}"
    if names & _NEVER_SENT:
        return ModelFailed(f"{said}; is its address right?", charged=False, transient=True)
    if names & _CUT:
        return ModelFailed(said, charged=True, transient=True)
    status = int(getattr(error, "status_code", 0) or 0)
    if status in _KEYS:
        return ModelFailed(f"{said}; check the key in {key}", charged=False, transient=False)
    if status in _PASSING:
        return ModelFailed(said, charged=False, transient=True)
    return ModelFailed(said, charged=not status, transient=not status)


def wait_of(error: Exception, otherwise: float) -> float:
    """Seconds to wait: what the vendor asks for, at most two minutes, else `otherwise`."""
    return min(_MOST_WAIT, max([otherwise, *map(_retry_after, _chain(error))]))


def _retry_after(error: BaseException) -> float:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        return float(headers.get("retry-after") or 0)
    except ValueError:
        return 0.0


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cursor: BaseException | None = error
    while cursor is not None and id(cursor) not in seen:
        seen.add(id(cursor))
        yield cursor
        cursor = cursor.__cause__ or cursor.__context__
