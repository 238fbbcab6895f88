"""Outside work through the Lab: asked once, charged once, never below what was charged before."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ft_bench.budget import Budget, Meter
from ft_bench.errors import BudgetExhausted, ModelFailed
from ft_bench.lab import MeteredLab
from ft_bench.record import Called, Reserved, Settled, Usage
from ft_bench.store import RunPaths, read_events
from ft_bench.testing.bench import Bench
from ft_bench.testing.cluster import FakeCluster, Killed

LIMITS = Budget(tokens=1000, usd=1.0)
MOST = Usage(tokens=100, usd=0.1)
USED = Usage(tokens=30, usd=0.01)


class Vendor:
    """Answers, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def answer(self, key: str) -> tuple[Any, Usage]:
        self.asked[key] += 1
        return {"said": key, "list": (1, 2)}, USED


class Room:
    """A Lab that can be left and taken up again."""

    def __init__(self, root: Path) -> None:
        self.bench, self.stack, self.budget = Bench(root), ExitStack(), LIMITS
        self.events = RunPaths(self.bench.homes.runs / "lab").events

    def open(self) -> MeteredLab:
        self.stack.close()
        return self.stack.enter_context(self.bench.lab(FakeCluster(), self.budget))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path)
    with room.stack:
        yield room


def test_it_is_reserved_before_and_settled_with_the_answer(room: Room) -> None:
    lab = room.open()

    def make() -> tuple[Any, Usage]:
        assert isinstance(lab.ledger.journal.events[-1].body, Reserved)
        assert lab.remaining().tokens == 900
        return "hello", USED

    assert lab.call("k", MOST, make, "asking") == "hello"
    assert isinstance(lab.ledger.journal.events[-1].body, Called)
    assert (lab.remaining().tokens, lab.remaining().usd) == (970, pytest.approx(0.99))


def test_it_is_asked_once_over_restarts_and_the_answer_is_the_same(room: Room) -> None:
    vendor = Vendor()
    first = room.open().call("k", MOST, lambda: vendor.answer("k"))
    again = room.open()
    assert (
        again.call("k", MOST, lambda: vendor.answer("k"))
        == first
        == {
            "said": "k",
            "list": [1, 2],
        }
    )
    assert vendor.asked == {"k": 1}
    assert again.ledger.meter.spent.tokens == 30


def test_what_does_not_fit_is_refused_before_it_is_asked(room: Room) -> None:
    vendor, lab = Vendor(), room.open()
    lab.call("k", MOST, lambda: vendor.answer("k"))
    count = len(lab.ledger.journal.events)
    for most, limit in ((Usage(tokens=971), "tokens"), (Usage(usd=0.995), "usd")):
        with pytest.raises(BudgetExhausted, match=f"The question needs .*--budget.{limit}") as no:
            lab.call("other", most, lambda: vendor.answer("other"), "The question")
        assert no.value.limit == limit
    assert vendor.asked == {"k": 1}
    assert len(lab.ledger.journal.events) == count


def test_no_call_is_made_after_the_wall_clock_ended(room: Room) -> None:
    room.budget = Budget(wall_seconds=0.0)
    with pytest.raises(BudgetExhausted, match=r"--budget\.wall"):
        room.open().call("k", Usage(), lambda: ("x", Usage()))


def test_free_work_leaves_one_event(room: Room) -> None:
    lab = room.open()
    count = len(lab.ledger.journal.events)
    lab.call("k", Usage(), lambda: ("found", Usage()))
    assert len(lab.ledger.journal.events) == count + 1


@pytest.mark.parametrize(
    ("failure", "tokens"),
    [
        (RuntimeError("bug"), 100),
        (KeyboardInterrupt(), 100),
        (ModelFailed("cut off", charged=True, transient=True), 100),
        (ModelFailed("429", charged=False, transient=True), 0),
    ],
)
def test_work_that_raises_is_charged_unless_it_is_known_to_be_free(
    room: Room, failure: BaseException, tokens: int
) -> None:
    lab, vendor = room.open(), Vendor()

    def make() -> tuple[Any, Usage]:
        raise failure

    with pytest.raises(type(failure)):
        lab.call("k", MOST, make)
    assert lab.ledger.meter.spent.tokens == tokens
    assert not lab.ledger.meter.open
    lab.call("k", MOST, lambda: vendor.answer("k"))
    assert lab.ledger.meter.spent.tokens == tokens + 30


def test_a_process_that_died_in_a_call_is_charged_in_full(room: Room, tmp_path: Path) -> None:
    lab = room.open()

    def die() -> tuple[Any, Usage]:
        shutil.copytree(room.events.parent, tmp_path / "as killed")
        raise Killed

    with pytest.raises(Killed):
        lab.call("k", MOST, die)
    room.stack.close()
    shutil.rmtree(room.events.parent)
    (tmp_path / "as killed").rename(room.events.parent)
    taken_up = room.open()
    settled = [b for b in taken_up.ledger.journal.bodies if isinstance(b, Settled)]
    assert [(body.used, body.orphan) for body in settled] == [(MOST, True)]


def test_a_key_may_be_any_text(room: Room) -> None:
    key = "../../etc/passwd\0#" + "x" * 5000
    lab = room.open()
    assert lab.call(key, MOST, lambda: ("a", USED)) == "a"
    assert room.open().call(key, MOST, lambda: ("b", USED)) == "a"


def test_two_threads_with_one_key_ask_once(room: Room) -> None:
    lab, vendor, answers = room.open(), Vendor(), []
    barrier = threading.Barrier(2)

    def work() -> None:
        barrier.wait(10)
        answers.append(lab.call("k", MOST, lambda: vendor.answer("k")))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert vendor.asked == {"k": 1}
    assert answers[0] == answers[1]


def test_another_verb_may_be_used_while_a_call_is_out(room: Room) -> None:
    lab = room.open()

    def make() -> tuple[Any, Usage]:
        found: list[Any] = []
        other = threading.Thread(target=lambda: found.append(lab.agree("x", lambda: 1)))
        other.start()
        other.join(10)
        return found, Usage()

    assert lab.call("k", MOST, make) == [1]


def _script(lab: MeteredLab, vendor: Vendor) -> None:
    """Three questions, a tool, a failed attempt: what a round of a node looks like."""
    lab.call("a", MOST, lambda: vendor.answer("a"))
    lab.call("tool", Usage(), lambda: ("found", Usage()))

    def cut_off() -> tuple[Any, Usage]:
        raise ModelFailed("cut off", charged=True, transient=True)

    if lab.ledger.show("called b") is None:
        with pytest.raises(ModelFailed):
            lab.call("b", MOST, cut_off)
    lab.call("b", MOST, lambda: vendor.answer("b"))
    lab.call("c", MOST, lambda: vendor.answer("c"))


def _spent(events: Any) -> list[Usage]:
    meter, spent = Meter(LIMITS), []
    for event in events:
        meter.apply(event.body)
        spent.append(meter.spent)
    return spent


def test_cut_at_every_event_nothing_answered_is_asked_again_and_no_counter_falls(
    room: Room,
) -> None:
    _script(room.open(), Vendor())
    room.stack.close()
    lines = room.events.read_bytes().splitlines(keepends=True)
    whole, _ = read_events(room.events)
    for cut in range(1, len(lines) + 1):
        for torn in (b"", lines[cut][: len(lines[cut]) // 2] if cut < len(lines) else b"{"):
            room.events.write_bytes(b"".join(lines[:cut]) + torn)
            answered = {e.body.key for e in whole[:cut] if isinstance(e.body, Called)}
            vendor = Vendor()
            _script(room.open(), vendor)
            room.stack.close()
            assert not answered & set(vendor.asked), cut
            events, _ = read_events(room.events)
            assert events[:cut] == whole[:cut]
            for earlier, later in pairwise(_spent(events)):
                assert (earlier.tokens, earlier.usd) <= (later.tokens, later.usd)
            assert not Meter.of(LIMITS, (e.body for e in events)).open
            calls = [e.body.key for e in events if isinstance(e.body, Called)]
            assert sorted(calls) == ["a", "b", "c", "tool"]
