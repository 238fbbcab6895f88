"""Ledger: no interleaving of threads and kills passes a limit or takes anything back.

A kill is any prefix, to the byte, of what the journal held since the last quiet moment, together
with the job folders that stood there. The clock is the test's own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ft_bench.budget import Budget, Meter
from ft_bench.errors import BudgetExhausted, ModelFailed
from ft_bench.ledger import Ledger
from ft_bench.record import Planned, Usage
from ft_bench.store import Journal, RunPaths, read_events
from ft_bench.testing.records import plan
from ft_bench.tree import Tree

LIMITS = Budget(iterations=3, device_seconds=30.0, wall_seconds=400.0, tokens=400, usd=1.0)
SLOTS = 3
_ROUNDING = 1e-6
# The journal waits for the disk at every event; memory does not keep it waiting.
_QUICK = "/dev/shm" if os.path.isdir("/dev/shm") else None


class _Clock:
    """Time as the ledger and the journal see it."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def monotonic(self) -> float:
        return self.now

    time = monotonic


Work = tuple[str, float, float]
"""A piece of work: its kind, how much it reserves and how much it uses, as shares of one."""

WORK = st.tuples(
    st.sampled_from(["call", "job", "refused call", "propose", "look"]),
    st.floats(0, 1),
    st.floats(0, 4),
)


class Books(RuleBasedStateMachine):
    """One run over several processes; each kill goes on from a copy of what was on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="books", dir=_QUICK))
        self.clock = _Clock()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("ft_bench.ledger.time", self.clock)
        self.patch.setattr("ft_bench.store.time", self.clock)
        self.lives, self.keys = 0, 0
        self.spent, self.wall = Usage(), 0.0
        self.faults: list[str] = []

    @initialize()
    def begin(self) -> None:
        self.ledger = self._live(self.folder / "0")

    def _live(self, root: Path) -> Ledger:
        journal = Journal(RunPaths(root))
        journal.open_attempt()
        ledger = Ledger(journal, LIMITS, tree=Tree(), slots=SLOTS, job_seconds=20.0)
        record: Callable[[Any], Any] = ledger.record

        def watched(body: Any) -> Any:
            kept = record(body)
            self._check_limits(ledger.meter)
            return kept

        ledger.record = watched  # type: ignore[method-assign]
        return ledger

    def _check_limits(self, meter: Meter) -> None:
        for name in ("iterations", "device_seconds", "tokens", "usd"):
            held = sum(getattr(use, name) for use in meter.open.values())
            taken = getattr(meter.spent, name) + held
            if taken > (LIMITS.limit(name) or 0) + _ROUNDING:
                self.faults.append(f"{name} is at {taken}")

    # --- what happens ------------------------------------------------------------------------

    @rule(work=st.lists(WORK, min_size=2, max_size=5))
    def together(self, work: list[Work]) -> None:
        """Several threads at once."""
        self._do(work)

    @rule(work=st.lists(WORK, max_size=5), share=st.floats(0, 1), signs=st.floats(0, 60))
    def killed(self, work: list[Work], share: float, signs: float) -> None:
        """The same, and some part of what that wrote is all that is left."""
        root = self.ledger.journal.paths.root
        before = root.joinpath("events.jsonl").stat().st_size
        self._do(work)
        self.wall = self.ledger.wall_spent()
        self.lives += 1
        left = self.folder / str(self.lives)
        shutil.copytree(root, left)
        events = left / "events.jsonl"
        size = before + round(share * (events.stat().st_size - before))
        os.truncate(events, size)
        for log in left.glob("job*/log"):
            os.utime(log, (self.clock.now + signs,) * 2)
        self.spent = Meter.of(LIMITS, (event.body for event in read_events(events)[0])).spent
        self.ledger.journal.close()
        shutil.rmtree(root)
        self.clock.now += 10_000.0  # nobody works on it meanwhile
        self.ledger = self._live(left)
        assert not self.ledger.meter.open

    @rule(seconds=st.floats(0, 150))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    # --- what must hold ----------------------------------------------------------------------

    @invariant()
    def nothing_is_passed_and_nothing_taken_back(self) -> None:
        if not hasattr(self, "ledger"):
            return
        assert self.faults == []
        self._check_limits(self.ledger.meter)
        now = self.ledger.meter.spent
        for name in Usage.model_fields:
            assert getattr(now, name) >= getattr(self.spent, name)
        assert self.ledger.wall_spent() >= self.wall - _ROUNDING
        self.spent, self.wall = now, self.ledger.wall_spent()

    def teardown(self) -> None:
        self.ledger.journal.close()
        self.patch.undo()
        shutil.rmtree(self.folder)

    # --- how it is done ----------------------------------------------------------------------

    def _do(self, work: list[Work]) -> None:
        numbers = range(self.keys, self.keys + len(work))
        self.keys += len(work)
        gate = threading.Barrier(max(1, len(work)))
        threads = [
            threading.Thread(target=self._one, args=(gate, number, *piece))
            for number, piece in zip(numbers, work, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert self.faults == []

    def _one(
        self, gate: threading.Barrier, number: int, kind: str, asked: float, used: float
    ) -> None:
        gate.wait()
        try:
            getattr(self, "_" + kind.replace(" ", "_"))(number, asked, used)
        except BudgetExhausted as refusal:
            if refusal.limit == "wall_seconds" and self.ledger.wall_left() > 20:
                self.faults.append(f"refused for the wall clock too early: {refusal}")
        except ModelFailed:
            pass
        except Exception as bug:  # noqa: BLE001  a thread's failure must fail the test
            self.faults.append(repr(bug))

    def _job(self, number: int, _: float, used: float) -> None:
        out = self.ledger.journal.paths.root / f"job{number}"
        if self.ledger.wall_left() <= 0:
            with pytest.raises(BudgetExhausted), self.ledger.reserved(out, "the job"):
                pass
            return
        with self.ledger.reserved(out, "the job") as allowance:
            if allowance.limit > max(1.0, self.ledger.wall_left()):
                self.faults.append("a job may run beyond the wall-clock limit")
            out.mkdir()
            (out / "log").touch()
            allowance.used.append(used * allowance.limit)

    def _call(self, number: int, asked: float, used: float) -> None:
        reserve = Usage(tokens=round(asked * 400), usd=asked)
        spend = Usage(tokens=round(used * 400 * asked), usd=used * asked)
        value = self.ledger.call(f"k{number}", reserve, lambda: (number, spend), "a call")
        assert value == self.ledger.call(f"k{number}", reserve, lambda: (None, spend), "again")

    def _refused_call(self, number: int, asked: float, used: float) -> None:
        def refuse() -> tuple[Any, Usage]:
            raise ModelFailed("no answer", charged=used > 2, transient=False)

        self.ledger.call(f"k{number}", Usage(tokens=round(asked * 400)), refuse, "a call")

    def _propose(self, number: int, _: float, __: float) -> None:
        with self.ledger.lock:
            self.ledger.meter.check(Usage(iterations=1), "a node")
            node = 1 + number
            self.ledger.record(Planned(node=node, parent=0, plan=plan(1e-4 * (1 + number))))

    def _look(self, *_: Any) -> None:
        self.ledger.wall_left()
        for name in ("iterations", "device_seconds", "tokens", "usd"):
            if self.ledger.meter.remaining(name) < 0:
                self.faults.append(f"{name} has less than nothing left")


Books.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestBooks = Books.TestCase


def test_an_answer_that_cost_more_than_was_reserved_stays_within_the_limit(tmp_path: Path) -> None:
    journal = Journal(RunPaths(tmp_path / "run"))
    journal.open_attempt()
    ledger = Ledger(journal, LIMITS, tree=Tree(), slots=1, job_seconds=20.0)
    ledger.call("a", Usage(tokens=100), lambda: (1, Usage(tokens=300, usd=0.1)), "dear")
    assert ledger.meter.spent.tokens == 300
    ledger.call("b", Usage(tokens=100), lambda: (1, Usage(tokens=5000, usd=9.0)), "too dear")
    assert (ledger.meter.spent.tokens, ledger.meter.spent.usd) == (400, 1.0)
    with pytest.raises(BudgetExhausted, match="tokens"):
        ledger.call("c", Usage(tokens=1), lambda: (1, Usage()), "more")
    journal.close()


def test_the_wall_clock_that_was_shown_is_not_taken_back_by_a_kill(tmp_path: Path) -> None:
    clock = _Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ft_bench.ledger.time", clock)
        patch.setattr("ft_bench.store.time", clock)
        journal = Journal(RunPaths(tmp_path / "run"))
        journal.open_attempt()
        ledger = Ledger(journal, LIMITS, tree=Tree(), slots=1, job_seconds=20.0)
        clock.now += 300  # an agent that thinks, and writes nothing
        assert ledger.wall_left() == pytest.approx(100)
        journal.close()
        clock.now += 5000
        again = Journal(RunPaths(tmp_path / "run"))
        again.open_attempt()
        later = Ledger(again, LIMITS, tree=Tree(), slots=1, job_seconds=20.0)
        assert later.wall_left() == pytest.approx(100)
        again.close()
