"""Ledger: a run's journal with its meter; answers what was done and charges what is to be done.

An answer that the journal holds becomes visible in the tree only when it is asked for again, so a
restarted agent walks through the same views as the first time.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from ft_bench.budget import Budget, Meter
from ft_bench.digest import canonical_json, digest
from ft_bench.errors import BudgetExhausted, ModelFailed
from ft_bench.job import seconds_seen
from ft_bench.record import (
    Agreed,
    Built,
    Called,
    Concluded,
    Evaluated,
    Failed,
    Flagged,
    Opened,
    Planned,
    Refused,
    Reserved,
    Settled,
    Steered,
    Trained,
    Usage,
)
from ft_bench.store import Journal
from ft_bench.tree import Tree

__all__ = ["Allowance", "Ledger"]

T = TypeVar("T")
_LEAST_SECONDS = 1.0
_KILL_MARGIN = 0.95
_METERED = ("tokens", "usd")


@dataclass(slots=True)
class Allowance:
    """What one piece of work may use, in device-seconds; the work fills in `used`."""

    limit: float
    used: list[float] = field(default_factory=list)


class Ledger:
    """The books of one run. Thread-safe; `lock` may be held around several calls.

    Args:
        journal: open; held by this process.
        budget: the limits.
        slots: how many jobs run at once; they share what is left.
        job_seconds: the longest that one job may take.

    Attributes:
        shown: the bodies that the tree is folded from, in the order of their showing.
    """

    def __init__(
        self, journal: Journal, budget: Budget, *, tree: Tree, slots: int, job_seconds: float
    ) -> None:
        self.journal, self.budget, self.slots, self.job_seconds = (
            journal,
            budget,
            slots,
            job_seconds,
        )
        self.meter = Meter.of(budget, journal.bodies)
        self.tree = tree
        self.lock = threading.RLock()
        self._known = {_key(body): body for body in journal.bodies}
        self._shown: set[str] = set()
        self.shown: list[Any] = []
        self._busy = 0
        self._turns: dict[str, threading.Lock] = {}
        self._earlier_wall = max(_wall_of_attempts(journal), journal.noted_wall())
        self._started = time.monotonic()
        self._settle_orphans()

    def show(self, key: str) -> Any:
        """The journalled body for `key`, from now on visible in the tree; None where none is."""
        with self.lock:
            body = self._known.get(key)
            if body is not None and key not in self._shown:
                self._shown.add(key)
                self.shown.append(body)
                self.tree = self.tree.with_body(body)
            return body

    def seen(self, key: str) -> Any:
        """The body for `key` if it is visible already, else None."""
        return self._known.get(key) if key in self._shown else None

    def record(self, body: T) -> T:
        """Journal a body, charge it and show it; returns it as the journal holds it."""
        with self.lock:
            kept = cast(T, self.journal.append(body).body)
            self.meter.apply(kept)
            key = _key(kept)
            self._known[key] = kept
            self.show(key)
            return kept

    @contextmanager
    def reserved(self, out: Path, purpose: str) -> Iterator[Allowance]:
        """Set device-seconds aside for a job whose folder is `out`, and settle afterwards.

        Raises:
            BudgetExhausted: before anything is started.
        """
        with self.lock:
            self.check_wall()
            share = self._share(purpose)
            name = f"{out.relative_to(self.journal.paths.root)}#{len(self.journal.events)}"
            amount = Usage(device_seconds=share)
            self.record(Reserved(reservation=name, amount=amount, purpose=purpose))
            self._busy += 1
        allowance = Allowance(limit=share * _KILL_MARGIN)
        try:
            yield allowance
        finally:
            with self.lock:
                self._busy -= 1
                spent = Usage(device_seconds=min(share, sum(allowance.used)))
                self.record(Settled(reservation=name, used=spent))

    def call(
        self, key: str, amount: Usage, make: Callable[[], tuple[Any, Usage]], purpose: str
    ) -> Any:
        """Do outside work once, within a reservation of tokens and USD; see `Lab.call`.

        Raises:
            BudgetExhausted: before the work is begun.
        """
        name = f"called {key}"
        with self.lock:
            turn = self._turns.setdefault(name, threading.Lock())
        with turn:
            known = self.show(name)
            if known is None:
                reservation = self._set_aside(name, amount, purpose or key)
                value, used = self._charged(reservation, amount, make)
                known = self._answered(key, purpose, value, used, reservation)
            return known.value

    def _set_aside(self, name: str, amount: Usage, purpose: str) -> str:
        """Reserve tokens and USD; "" where there is nothing to reserve."""
        with self.lock:
            self.check_wall()
            if amount == Usage():
                return ""
            self.meter.check(amount, purpose)
            reservation = f"{name}#{len(self.journal.events)}"
            self.record(Reserved(reservation=reservation, amount=amount, purpose=purpose))
            return reservation

    def _answered(
        self, key: str, purpose: str, value: Any, used: Usage, reservation: str
    ) -> Called:
        """Journal an answer; one that cost more than was reserved is charged up to the limit."""
        with self.lock:
            held = self.meter.open.get(reservation, Usage())
            most = {name: getattr(held, name) + self.meter.remaining(name) for name in _METERED}
            capped = {
                name: type(getattr(used, name))(min(getattr(used, name), limit))
                for name, limit in most.items()
            }
            return self.record(
                Called(
                    key=key,
                    purpose=purpose,
                    value=value,
                    used=used.model_copy(update=capped),
                    reservation=reservation,
                )
            )

    def _charged(
        self, reservation: str, amount: Usage, make: Callable[[], tuple[Any, Usage]]
    ) -> tuple[Any, Usage]:
        """Do the work; work that raises is charged in full, unless it is known to be free."""
        try:
            return make()
        except BaseException as failure:
            free = isinstance(failure, ModelFailed) and not failure.charged
            if reservation:
                self.record(Settled(reservation=reservation, used=Usage() if free else amount))
            raise

    def _share(self, purpose: str) -> float:
        """Device-seconds to set aside: the job limit, or a fair part of what is left."""
        left = self.meter.remaining("device_seconds")
        part = left / max(1, self.slots - self._busy)
        wall = self.wall_left()
        share = min(self.job_seconds, part, wall)
        if wall < min(_LEAST_SECONDS, part):
            raise BudgetExhausted(
                "wall_seconds",
                f"{purpose} needs at least {_LEAST_SECONDS:g} s but {wall:.3g} of "
                f"{self.budget.wall_seconds:g} are left; raise --budget.wall",
            )
        if share < _LEAST_SECONDS:
            raise BudgetExhausted(
                "device_seconds",
                f"{purpose} needs at least {_LEAST_SECONDS:g} device-seconds but {part:.3g} of "
                f"{self.budget.device_seconds or 0:g} are left for it; raise --budget.device-hours",
            )
        return share

    def wall_left(self) -> float:
        """Seconds until the wall-clock limit, over all attempts; infinite where there is none."""
        limit = self.budget.wall_seconds
        return math.inf if limit is None else limit - self.wall_spent()

    def wall_spent(self) -> float:
        """Seconds that all attempts, this one included, have worked on the run.

        What was told once is noted: it is not taken back after a kill.
        """
        spent = self._earlier_wall + time.monotonic() - self._started
        self.journal.note_wall(spent)
        return spent

    def check_wall(self) -> None:
        """Refuse further work once the wall-clock limit is reached.

        Raises:
            BudgetExhausted: names the limit.
        """
        if self.wall_left() <= 0:
            raise BudgetExhausted(
                "wall_seconds",
                f"The wall-clock limit of {self.budget.wall_seconds:g} s is used up; raise "
                "--budget.wall",
            )

    def _settle_orphans(self) -> None:
        """Charge what a process that died had begun.

        A job is charged what its folder shows it used; a request to outside, of which nothing
        shows whether it was answered, is charged in full.
        """
        times = {
            event.body.reservation: event.time
            for event in self.journal.events
            if isinstance(event.body, Reserved)
        }
        for name, amount in list(self.meter.open.items()):
            folder = self.journal.paths.root / name.rpartition("#")[0]
            most = amount.device_seconds
            seconds = min(most, seconds_seen(folder, times[name])) if most else 0.0
            used = amount.model_copy(update={"device_seconds": seconds})
            self.record(Settled(reservation=name, used=used, orphan=True))


_KEYS: Mapping[type[Any], Callable[[Any], str]] = {
    Planned: lambda body: f"planned {body.parent} {digest(body.plan)}",
    Built: lambda body: f"built {body.node} {digest(body.recipe)}",
    Trained: lambda body: f"trained {body.model}",
    Evaluated: lambda body: f"evaluated {body.model}",
    Failed: lambda body: str(body.key),
    Concluded: lambda body: f"concluded {body.node}",
    Agreed: lambda body: f"agreed {body.key}",
    Called: lambda body: f"called {body.key}",
    Flagged: lambda body: f"flagged {digest([body.name, body.detail])}",
    Steered: lambda body: f"steered {body.at}",
    Refused: lambda body: f"refused {body.parent} {digest(body.plan)}",
}


def _key(body: Any) -> str:
    """What a journalled answer is found by: the verb and what it was asked."""
    key = _KEYS.get(type(body), lambda body: f"{body.kind} {canonical_json(body)}")
    return key(body)


def _wall_of_attempts(journal: Journal) -> float:
    """Seconds that earlier processes worked on the run, from their first to their last event."""
    total, opened, last = 0.0, None, 0.0
    for event in journal.events:
        if isinstance(event.body, Opened):
            total += last - opened if opened is not None else 0.0
            opened = event.time
        last = event.time
    return total
