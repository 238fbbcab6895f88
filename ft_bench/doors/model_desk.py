"""ModelDesk: the run's language model for a program that has neither network nor key.

A question is answered only within a call that the Lab has reserved for, and what the model used is
charged as the model says it, whatever the program reports.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from ft_bench.doors.verbs import Ask, checked
from ft_bench.errors import PrerequisiteError, UsageError
from ft_bench.protocols import LLM
from ft_bench.record import Usage

__all__ = ["ModelDesk"]


@dataclass(slots=True)
class _Asked:
    """What was asked within one call, and what may still be."""

    reserve: Usage
    used: Usage = field(default_factory=Usage)

    def at_least(self, reported: Usage) -> Usage:
        """What is charged: as reported, but never less than the model used."""
        return Usage(
            tokens=max(self.used.tokens, reported.tokens), usd=max(self.used.usd, reported.usd)
        )

    def fits(self, more: Usage) -> bool:
        """Whether a further question stays within what was reserved."""
        return (
            self.used.tokens + more.tokens <= self.reserve.tokens
            and self.used.usd + more.usd <= self.reserve.usd
        )


class ModelDesk:
    """Answers `model`, `worst` and `complete`; thread-safe.

    Args:
        llm: who is asked; None where the run has none.
    """

    verbs: ClassVar[tuple[str, ...]] = ("model", "worst", "complete")

    def __init__(self, llm: LLM | None) -> None:
        self._llm = llm
        self._open: dict[str, _Asked] = {}
        self._lock = threading.Lock()

    @contextmanager
    def opened(self, key: str, reserve: Usage) -> Iterator[_Asked]:
        """A call within which the model may be asked."""
        asked = _Asked(reserve)
        with self._lock:
            self._open[key] = asked
        try:
            yield asked
        finally:
            with self._lock:
                self._open.pop(key, None)

    def answer(self, verb: str, args: object) -> Any:
        """One question.

        Raises:
            PrerequisiteError: where the run has no language model.
            UsageError: for a question outside a call, or one that could use more than is reserved.
            ModelFailed: as the model.
        """
        llm = self._llm
        if verb == "model":
            return None if llm is None else {"name": llm.name, "priced": llm.priced}
        if llm is None:
            raise PrerequisiteError("the run has no language model; start it with --backend")
        ask = checked(Ask, verb, args)
        worst = llm.worst(ask.messages, ask.tools, ask.max_tokens)
        if verb == "worst":
            return worst.model_dump(mode="json")
        with self._lock:
            asked = self._open.get(ask.key)
        if asked is None or not asked.fits(worst):
            raise UsageError(
                f"the call {ask.key!r} is not open or has too little reserved; reserve what "
                "`worst` says with `call`, then ask"
            )
        reply = llm.complete(ask.messages, tools=ask.tools, max_tokens=ask.max_tokens)
        asked.used = asked.used.plus(reply.usage)
        return {**asdict(reply), "usage": reply.usage.model_dump(mode="json")}
