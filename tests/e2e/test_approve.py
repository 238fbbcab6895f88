"""`--approve` on a pseudo-terminal: a person says yes, no, or presses Ctrl-C."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ft_bench.record import Planned, Refused
from ft_bench.store import read_events

PROGRAM = Path(__file__).with_name("approve_run.py")
QUESTION = "Run it? [y]es, [n]o, [e]dit a note: "
WHY = "Why not? (Enter for no reason) "
SMALL = ("-A", "variants=1", "-A", "root_variants=1", "-A", "confirm_top=0")
PLENTY = 100.0


class Person:
    """Someone at a terminal of 100 columns in which `ft-bench eval toy --approve` runs."""

    def __init__(self, root: Path, *args: str) -> None:
        self.runs = root / "runs"
        self._master, slave = pty.openpty()
        where = ("--runs-dir", str(self.runs), "--cluster", "fake", "--budget.iterations", "2")
        homes = {"XDG_CACHE_HOME": str(root / "cache"), "XDG_DATA_HOME": str(root / "data")}
        command = [sys.executable, str(PROGRAM), str(root), "eval", "toy", "--approve", *where]
        self._program = subprocess.Popen(
            [*command, *args],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, **homes, "COLUMNS": "100", "TERM": "xterm"},
        )
        os.close(slave)
        self.seen = ""

    def sees(self, text: str) -> str:
        """What stands on the terminal up to `text`, since what was looked at last."""
        until = time.monotonic() + PLENTY
        while text not in self.seen:
            assert self._read(), f"it ended with {self._program.wait()}:\n{self.seen}"
            assert time.monotonic() < until, self.seen
        before, _, self.seen = self.seen.partition(text)
        return before

    def types(self, text: str) -> None:
        os.write(self._master, text.encode())

    def answers(self, *lines: str) -> str:
        """Answers the next question; what was shown with it."""
        shown = self.sees(QUESTION)
        self.types(lines[0] + "\n")
        for line in lines[1:]:
            self.sees(WHY)
            self.types(line + "\n")
        return shown

    def interrupts(self) -> None:
        """Presses Ctrl-C, again where the program was not yet waiting for a line."""
        until = time.monotonic() + PLENTY
        self.types("\x03")
        while not select.select([self._master], [], [], 5)[0] and time.monotonic() < until:
            self.types("\x03")

    def leaves(self) -> int:
        """The exit code."""
        while self._read():
            pass
        os.close(self._master)
        return self._program.wait(PLENTY)

    def _read(self) -> bool:
        if not select.select([self._master], [], [], PLENTY)[0]:
            return False
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:  # the other end is closed
            return False
        self.seen += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)

    def bodies(self, kind: type[Any]) -> list[Any]:
        (events,) = self.runs.glob("*/events.jsonl")
        return [e.body for e in read_events(events)[0] if isinstance(e.body, kind)]


def test_each_node_is_asked_about_and_no_leads_to_another_plan(tmp_path: Path) -> None:
    person = Person(tmp_path, "--agent", "trex", *SMALL)
    first = person.answers("n", "too dear")
    second = person.answers("y")
    third = person.answers("y")
    assert person.leaves() == 0, person.seen
    assert QUESTION not in person.seen
    for shown in (first, second):
        assert "Node 1 would refine node 0" in shown
    assert "Node 2 would refine node" in third
    (refused,) = person.bodies(Refused)
    assert refused.reason == "too dear"
    plans = person.bodies(Planned)
    assert len(plans) == 3
    assert refused.plan.configurations() != plans[1].plan.configurations()
    plan = third[third.index("Node 2 would refine") :]
    assert max(len(line) for line in plan.splitlines()) <= 100


def test_ctrl_c_ends_it_and_it_is_taken_up_at_the_question(tmp_path: Path) -> None:
    person = Person(tmp_path, "--agent", "trex", *SMALL)
    person.answers("y")
    asked = person.sees(QUESTION)
    person.interrupts()
    assert person.leaves() == 130
    assert "the same command takes it up again" in person.seen
    assert "Traceback" not in person.seen
    again = Person(tmp_path, "--agent", "trex", *SMALL)
    shown = again.sees(QUESTION)
    plan = "Node 2 would refine"
    assert shown[shown.index(plan) :] == asked[asked.index(plan) :]
    again.types("y\n")
    assert again.leaves() == 0, again.seen
    assert len(again.bodies(Planned)) == 3


SAMPLER = pytest.mark.skipif(find_spec("optuna") is None, reason="no Optuna here")


@pytest.mark.parametrize("agent", ["grid", "random_search", pytest.param("tpe", marks=SAMPLER)])
def test_a_baseline_goes_on_after_a_no(tmp_path: Path, agent: str) -> None:
    person = Person(tmp_path, "--agent", agent, "-A", "trainings=3", "-A", "variants=1")
    person.answers("n", "")
    person.answers("y")
    if agent != "grid":
        person.answers("y")
    assert person.leaves() == 0, person.seen
    assert len(person.bodies(Refused)) == 1
    plans = person.bodies(Planned)
    assert len(plans) == (2 if agent == "grid" else 3)


def test_an_agent_that_takes_no_no_ends_with_what_there_is(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "my_agent.py"
    person = Person(tmp_path, "--agent", f"{example}:MyAgent")
    person.answers("n", "enough")
    assert person.leaves() == 0, person.seen
    assert "a person refused the plan" in person.seen
