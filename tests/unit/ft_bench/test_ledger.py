from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ft_bench.budget import Budget
from ft_bench.errors import BudgetExhausted
from ft_bench.ledger import Allowance, Ledger
from ft_bench.record import Agreed, Planned, Reserved, Settled, Usage
from ft_bench.store import Journal, RunPaths
from ft_bench.testing.records import evaluated, failed, plan
from ft_bench.tree import Tree

LIMITS = Budget(iterations=2, device_seconds=50.0)


def opened(root: Path, budget: Budget = LIMITS, slots: int = 1, job_seconds: float = 20) -> Ledger:
    journal = Journal(RunPaths(root))
    journal.open_attempt()
    return Ledger(journal, budget, tree=Tree(), slots=slots, job_seconds=job_seconds)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = opened(tmp_path / "run")
    yield ledger
    ledger.journal.close()


def work(ledger: Ledger, seconds: float, name: str = "n") -> Allowance:
    with ledger.reserved(ledger.journal.paths.root / name, "the job") as allowance:
        allowance.used.append(seconds)
    return allowance


def killed(ledger: Ledger, to: Path) -> Path:
    """The disk as a kill would leave it now."""
    shutil.copytree(ledger.journal.paths.root, to)
    return to


def test_work_is_reserved_before_and_settled_after(ledger: Ledger) -> None:
    root = ledger.journal.paths.root
    with ledger.reserved(root / "nodes" / "n", "the job") as allowance:
        assert isinstance(ledger.journal.events[-1].body, Reserved)
        assert ledger.meter.remaining("device_seconds") == 30
        allowance.used.append(3.0)
    assert isinstance(ledger.journal.events[-1].body, Settled)
    assert ledger.meter.spent.device_seconds == 3
    assert ledger.meter.remaining("device_seconds") == 47


def test_the_job_is_killed_before_its_share_ends(ledger: Ledger) -> None:
    assert work(ledger, 1.0).limit < 20


def test_no_job_is_charged_more_than_its_share(ledger: Ledger) -> None:
    work(ledger, 1000.0)
    assert ledger.meter.spent.device_seconds == 20


def test_a_job_that_raises_is_charged_too(ledger: Ledger) -> None:
    def broken() -> None:
        with ledger.reserved(ledger.journal.paths.root / "n", "the job") as allowance:
            allowance.used.append(2.5)
            raise RuntimeError("bug")

    with pytest.raises(RuntimeError, match="bug"):
        broken()
    assert ledger.meter.spent.device_seconds == 2.5
    assert not ledger.meter.open


def test_slots_share_what_is_left(tmp_path: Path) -> None:
    ledger = opened(tmp_path / "run", slots=2, job_seconds=1000)
    root = ledger.journal.paths.root
    with ledger.reserved(root / "a", "a") as a, ledger.reserved(root / "b", "b") as b:
        assert a.limit == pytest.approx(0.95 * 25)
        assert b.limit == pytest.approx(0.95 * 25)
    ledger.journal.close()


def test_too_little_is_refused_before_anything_is_written(ledger: Ledger) -> None:
    for _ in range(3):
        work(ledger, 1000.0)
    count = len(ledger.journal.events)
    with pytest.raises(BudgetExhausted, match=r"the job needs at least 1 .* 0 of 50 .*hours") as no:
        work(ledger, 1.0)
    assert no.value.limit == "device_seconds"
    assert len(ledger.journal.events) == count


def test_the_wall_clock_is_named_where_it_is_the_limit(tmp_path: Path) -> None:
    ledger = opened(tmp_path / "run", Budget(wall_seconds=0.5))
    with pytest.raises(BudgetExhausted, match=r"raise --budget\.wall") as caught:
        work(ledger, 1.0)
    assert caught.value.limit == "wall_seconds"
    ledger.journal.close()


def test_the_wall_clock_runs_on_over_attempts(tmp_path: Path) -> None:
    root = tmp_path / "run"
    _attempts(root, [(100.0, 130.0), (500.0, 520.0)])
    ledger = opened(root, Budget(wall_seconds=50.0))
    assert ledger.wall_spent() >= 50.0
    with pytest.raises(BudgetExhausted, match="wall-clock limit of 50 s"):
        ledger.check_wall()
    ledger.journal.close()


def test_time_between_attempts_does_not_count(tmp_path: Path) -> None:
    root = tmp_path / "run"
    _attempts(root, [(100.0, 130.0), (5000.0, 5020.0)])
    ledger = opened(root, Budget(wall_seconds=1000.0))
    assert 50.0 <= ledger.wall_spent() < 500.0
    ledger.check_wall()
    ledger.journal.close()


def _attempts(root: Path, spans: list[tuple[float, float]]) -> None:
    """A journal of attempts that began and had their last event at given times."""
    clock: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ft_bench.store.time.time", lambda: clock.pop())
        journal = Journal(RunPaths(root))
        for number, (began, ended) in enumerate(spans):
            clock[:] = [ended, began]
            journal.open_attempt()
            journal.append(Agreed(key=f"k{number}", value=None))
        journal.close()


def test_what_a_dead_process_had_begun_is_charged_by_its_signs_of_life(tmp_path: Path) -> None:
    ledger = opened(tmp_path / "run")
    with ledger.reserved(ledger.journal.paths.root / "nodes" / "n", "the job"):
        began = ledger.journal.events[-1].time
        sign = ledger.journal.paths.root / "nodes" / "n" / "metrics.jsonl"
        sign.parent.mkdir(parents=True)
        sign.write_text("{}\n")
        os.utime(sign, (began + 7, began + 7))
        left = killed(ledger, tmp_path / "left")
    ledger.journal.close()
    again = opened(left)
    assert again.meter.spent.device_seconds == pytest.approx(7, abs=0.01)
    assert not again.meter.open
    settled = again.journal.events[-1].body
    assert isinstance(settled, Settled)
    assert settled.orphan
    again.journal.close()


@pytest.mark.parametrize("sign", [1e6, -1e6])
def test_a_wrong_clock_charges_between_nothing_and_the_share(tmp_path: Path, sign: float) -> None:
    ledger = opened(tmp_path / "run")
    with ledger.reserved(ledger.journal.paths.root / "n", "the job"):
        file = ledger.journal.paths.root / "n" / "f"
        file.parent.mkdir()
        file.touch()
        at = ledger.journal.events[-1].time + sign
        os.utime(file, (at, at))
        left = killed(ledger, tmp_path / "left")
    ledger.journal.close()
    again = opened(left)
    assert again.meter.spent.device_seconds == (20 if sign > 0 else 0)
    again.journal.close()


def test_an_answer_shows_in_the_tree_only_once_it_is_asked_for_again(tmp_path: Path) -> None:
    ledger = opened(tmp_path / "run")
    made = Planned(node=0, parent=None, plan=plan())
    ledger.record(evaluated(None, None, 0.5))
    ledger.record(made)
    ledger.record(failed(0))
    ledger.journal.close()
    again = opened(tmp_path / "run")
    assert len(again.tree) == 0
    assert again.seen("evaluated base") is None
    assert again.show("evaluated base") == evaluated(None, None, 0.5)
    assert again.seen("evaluated base") is not None
    assert again.tree.base is not None
    planned = next(body for body in again.journal.bodies if isinstance(body, Planned))
    key = next(key for key, body in again._known.items() if body == planned)
    assert again.show(key) == made
    assert again.show("trained n0v0") == failed(0)
    assert again.tree == ledger.tree
    assert again.show("trained n0v1") is None
    again.journal.close()


def test_showing_twice_changes_nothing(ledger: Ledger) -> None:
    ledger.record(Planned(node=0, parent=None, plan=plan()))
    ledger.record(evaluated(0, 0, 0.4).model_copy(update={"replica": 1, "model": "n0v0r1"}))
    before = ledger.tree
    ledger.show("evaluated n0v0r1")
    assert ledger.tree is before


def test_a_body_is_returned_as_a_later_process_will_see_it(ledger: Ledger) -> None:
    kept = ledger.record(Agreed(key="k", value={"b": (1, 2), "a": 1}))
    assert kept.value == {"a": 1, "b": [1, 2]}
    assert ledger.show("agreed k") is kept


Op = st.one_of(
    st.tuples(st.just("begin"), st.integers(0, 2)),
    st.tuples(st.just("end"), st.floats(0, 40)),
    st.tuples(st.just("propose"), st.just(0)),
    st.tuples(st.just("kill"), st.floats(0, 40)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(Op, max_size=14))
def test_no_history_of_work_and_kills_passes_a_limit_or_takes_anything_back(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, float]]
) -> None:
    life = _Life(tmp_path_factory.mktemp("life"))
    with life.stack:
        for name, number in history:
            getattr(life, name)(number)
            life.check()
        life.kill(0.0)
        life.check()
        assert not life.ledger.meter.open


class _Life:
    """One run over several processes; a kill goes on from a copy of the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.stack, self.lives = folder, ExitStack(), 0
        self.open: list[tuple[ExitStack, Allowance]] = []
        self.spent, self.nodes = Usage(), 0
        self.ledger = self._live(folder / "0")

    def _live(self, root: Path) -> Ledger:
        ledger = opened(root, slots=3)
        self.stack.callback(ledger.journal.close)
        return ledger

    def begin(self, slot: float) -> None:
        work = self.stack.enter_context(ExitStack())
        out = self.ledger.journal.paths.root / f"job{slot}"
        try:
            allowance = work.enter_context(self.ledger.reserved(out, "the job"))
        except BudgetExhausted:
            assert self.ledger.meter.remaining("device_seconds") < 3
            return
        self.open.append((work, allowance))

    def end(self, seconds: float) -> None:
        if self.open:
            work, allowance = self.open.pop(0)
            allowance.used.append(seconds)
            work.close()

    def propose(self, _: float) -> None:
        try:
            self.ledger.meter.check(Usage(iterations=1), "a node")
        except BudgetExhausted:
            assert self.nodes == LIMITS.iterations
            return
        self.nodes += 1
        body = Planned(node=self.nodes, parent=0, plan=plan(self.nodes * 1e-4))
        self.ledger.record(body)

    def kill(self, seconds: float) -> None:
        """Die, leaving a sign of life so long after the last event in each job's folder."""
        self.lives += 1
        now = self.ledger.journal.events[-1].time + seconds
        for slot in range(3):
            file = self.ledger.journal.paths.root / f"job{slot}" / "log"
            file.parent.mkdir(exist_ok=True)
            file.touch()
            os.utime(file, (now, now))
        root = killed(self.ledger, self.folder / str(self.lives))
        self.open.clear()
        self.ledger = self._live(root)

    def check(self) -> None:
        meter = self.ledger.meter
        held = sum(use.device_seconds for use in meter.open.values())
        assert meter.spent.device_seconds + held <= 50 + 1e-9
        assert meter.spent.iterations == self.nodes <= 2
        for name in Usage.model_fields:
            assert getattr(meter.spent, name) >= getattr(self.spent, name)
        self.spent = meter.spent
