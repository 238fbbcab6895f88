"""Pool: many requests at once, within a budget, each asked at most once."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aidp.llm.budget import Budget
from aidp.llm.client import Client, Refused, Transient, make_client
from aidp.llm.journal import Journal
from aidp.llm.options import LlmOptions
from aidp.llm.request import Reply, Request

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
MAX_WAIT_SECONDS = 60.0
TOLD_AT_LEAST = 100
BUDGET_ENDED = "the budget ended before this request"
Check = Callable[[str], str | None]


@dataclass
class Pool:
    """Asks requests of one model.

    Attributes:
        options: Which model, how, for how much.
        journal: Where replies are kept.
        budget: What is spent and reserved.
        sent: Attempts that were sent.
        repaired: Malformed replies that were sent back.
    """

    options: LlmOptions
    journal: Journal
    budget: Budget
    sent: int = 0
    repaired: int = 0
    _waiting: int = 0
    _settled: asyncio.Condition = field(default_factory=asyncio.Condition)
    _asking: dict[str, asyncio.Future[Reply]] = field(default_factory=dict)

    async def ask(self, client: Client, request: Request, check: Check) -> Reply:
        """The reply to `request`; a malformed one is sent back with what is wrong.

        Args:
            client: How the model is reached.
            request: What is asked.
            check: Says what is wrong with a reply, None when nothing is.
        """
        reply = await self._once(client, request)
        for _ in range(self.options.repairs):
            problem = None if reply.error else check(reply.content)
            if problem is None:
                return reply
            self.repaired += 1
            remark = f"This reply cannot be used: {problem}. Reply again, with nothing else."
            request = request.followed_by(reply.content, remark)
            reply = await self._once(client, request)
        problem = None if reply.error else check(reply.content)
        return reply if problem is None else Reply("", error=f"malformed: {problem}")

    async def _once(self, client: Client, request: Request) -> Reply:
        """The journal's reply, that of the same request in flight, or a new one."""
        known = self.journal.find(request)
        if known is not None:
            return known
        flying = self._asking.get(request.key)
        if flying is not None:
            return await flying
        future = asyncio.get_running_loop().create_future()
        self._asking[request.key] = future
        try:
            reply = await self._paid(client, request)
        except BaseException:
            future.cancel()
            raise
        finally:
            del self._asking[request.key]
        future.set_result(reply)
        return reply

    async def _paid(self, client: Client, request: Request) -> Reply:
        if not await self._reserved(request):
            return Reply("", error=BUDGET_ENDED)
        reply: Reply | None = None
        try:
            reply = await self._tried(client, request)
        finally:
            self.budget.settle(request, reply)
            if self._waiting:
                async with self._settled:
                    self._settled.notify_all()
        if reply.error is None:
            self.journal.write(request, reply)
        return reply

    async def _reserved(self, request: Request) -> bool:
        """Wait until the budget has room or no call in flight could give any back."""
        if self.budget.reserve(request):
            return True
        self._waiting += 1
        try:
            async with self._settled:
                while not self.budget.reserve(request):
                    if self.budget.reserved_tokens == 0:
                        return False
                    await self._settled.wait()
            return True
        finally:
            self._waiting -= 1

    async def _tried(self, client: Client, request: Request) -> Reply:
        for attempt in range(self.options.retries + 1):
            self.sent += 1
            try:
                return await client.complete(request)
            except Refused as error:
                return Reply("", error=str(error))
            except Transient as error:
                reason = str(error)
                wait = max(self._backoff(request, attempt), error.wait_seconds)
            if attempt < self.options.retries:
                log.info("attempt %d failed (%s); next in %.2f s", attempt + 1, reason, wait)
                await asyncio.sleep(min(wait, MAX_WAIT_SECONDS))
        return Reply("", error=f"failed {self.options.retries + 1} times, last with {reason}")

    def _backoff(self, request: Request, attempt: int) -> float:
        """Doubles each time, with a jitter of up to half that the request's key decides."""
        jitter = int(request.key[:4], 16) / 0xFFFF / 2
        return self.options.backoff_seconds * 2.0**attempt * (1 + jitter)


def ask_all(
    options: LlmOptions, requests: Sequence[Request], check: Check = lambda reply: None
) -> tuple[list[Reply], dict[str, Any]]:
    """Ask all `requests`, at most `options.max_concurrency` at once; replies in their order.

    Returns:
        One reply per request, those without an answer with `error` set, and what the account
        should say: requests sent, replies from the journal, tokens, USD, failures.

    Raises:
        AidpError: No request can work: wrong key, address or model. What was answered before
            is in the journal.
    """
    journal = Journal(options.journal)
    budget = Budget(options)
    try:
        replies, pool = _finished(_ask_all(options, requests, check, journal, budget))
    finally:
        journal.close()
    notes = {
        "requests_sent": pool.sent,
        "from_journal": sum(reply.journalled for reply in replies),
        "repaired": pool.repaired,
        "failed": sum(reply.error is not None for reply in replies),
        "over_budget": sum(reply.error == BUDGET_ENDED for reply in replies),
        "tokens": budget.spent_tokens,
        "cost_usd": round(budget.spent_usd, 6),
    }
    return replies, notes


async def _ask_all(
    options: LlmOptions,
    requests: Sequence[Request],
    check: Check,
    journal: Journal,
    budget: Budget,
) -> tuple[list[Reply], Pool]:
    pool = Pool(options, journal, budget)
    replies: list[Reply | None] = [None] * len(requests)
    waiting = iter(range(len(requests)))
    every = max(TOLD_AT_LEAST, len(requests) // 20)
    done = itertools.count(1)
    async with make_client(options) as client:

        async def work() -> None:
            for i in waiting:
                replies[i] = await pool.ask(client, requests[i], check)
                if (answered := next(done)) % every == 0:
                    log.info("%d of %d requests answered", answered, len(requests))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(options.max_concurrency, len(requests))):
                group.create_task(work())
    return [reply for reply in replies if reply is not None], pool


def _finished(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run `work` to its end, in a thread of its own where a loop is running here already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _alone(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_alone, work).result()


def _alone(work: Coroutine[Any, Any, Answer]) -> Answer:
    try:
        return asyncio.run(work)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
