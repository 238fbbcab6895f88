"""A run that is killed at any event, and taken up again, ends as if nothing had happened."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ft_bench.budget import Budget, Meter
from ft_bench.job import Job, TrainJob
from ft_bench.record import Card, Event, Trained, Usage
from ft_bench.store import RunPaths, read_events
from ft_bench.testing.bench import Bench
from ft_bench.testing.cluster import FakeCluster, Killed
from ft_bench_baselines.grid import Grid
from trex_agent.agent import Trex

SAME = ("status", "validation", "confirmed", "confirmed_value", "test", "base_test", "gain")
SAME_TOO = ("selected_node", "selected_variant", "selected_recipe", "tree_digest", "trainings")
OPTIONS = {"trex": {"variants": "2", "confirm_top": "2"}, "grid": {"variants": "2"}}


EVERY = 17
"""Every so many events a picture is taken: all kinds are met, and the suite stays quick."""


class Camera:
    """Copies the run directory as it is on disk at an event, as a kill there would leave it."""

    def __init__(self, runs: Path, shots: Path) -> None:
        self.runs, self.shots = runs, shots
        self.trainings = 0

    def __call__(self, event: Event) -> None:
        if event.seq % EVERY == 1:
            self.take(f"{event.seq:03d}")

    def in_training(self, job: Job) -> None:
        """In the middle of every fourth training."""
        if isinstance(job, TrainJob):
            self.trainings += 1
            if self.trainings % 4 == 1:
                self.take(f"during {self.trainings:02d}")

    def take(self, name: str) -> None:
        for run in self.runs.iterdir():
            # Files under temporary names come and go in the other slot while this one looks.
            passing = shutil.ignore_patterns(".*")
            shutil.copytree(run, self.shots / name / run.name, ignore=passing)

    def put_back(self, name: str) -> None:
        shutil.rmtree(self.runs)
        shutil.copytree(self.shots / name, self.runs)


class Undisturbed:
    """A run to its end, with a picture of the disk at every event and in every training."""

    def __init__(self, root: Path, agent: type[Any], slots: int = 1) -> None:
        self.agent, self.slots = agent, slots
        self.bench = Bench(root)
        self.camera = Camera(self.bench.homes.runs, root / "shots")
        self.card = self.run(FakeCluster(slots=slots, midway=self.camera.in_training), self.camera)
        self.events, _ = read_events(self.bench.paths(self.card).events)

    def run(self, cluster: FakeCluster, watch: Callable[[Event], None] = lambda _: None) -> Card:
        return self.bench.run(
            self.agent,
            cluster,
            watch,
            options=OPTIONS[self.agent.name],
            budget=Budget(iterations=2, variants=3),
        )

    def paths(self) -> RunPaths:
        return self.bench.paths(self.card)


@pytest.fixture(scope="module", params=[Trex, Grid], ids=["trex", "grid"])
def undisturbed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    return Undisturbed(tmp_path_factory.mktemp(request.param.name), request.param)


def _shared(card: Card) -> dict[str, Any]:
    fields = card.model_dump(include={*SAME, *SAME_TOO}, mode="json")
    return fields


def _spent(events: list[Event]) -> list[Usage]:
    meter = Meter(Budget())
    spent = []
    for event in events:
        meter.apply(event.body)
        spent.append(meter.spent)
    return spent


def _check(run: Undisturbed, name: str, before: list[Event]) -> None:
    """Take the run up where the picture called `name` was taken, and compare."""
    cluster = FakeCluster(slots=run.slots)
    card = run.run(cluster)
    events, _ = read_events(run.paths().events)
    assert _shared(card) == _shared(run.card), name
    assert events[: len(before)] == before, name
    spent = _spent(events)
    for earlier, later in pairwise(spent):
        assert all(getattr(earlier, n) <= getattr(later, n) for n in Usage.model_fields), name
    finished = {event.body.path.removeprefix("nodes/") for event in before if _is_trained(event)}
    again = Counter({key: n for key, n in cluster.trainings.items() if key in finished})
    assert not again, (name, again)
    trained = [event.body.model for event in events if _is_trained(event)]
    assert len(trained) == len(set(trained)), name


def _is_trained(event: Event) -> bool:
    return isinstance(event.body, Trained)


def _pictures(run: Undisturbed) -> list[int]:
    return list(range(1, len(run.events) - 1, EVERY))


def test_killed_at_an_event_the_same_command_ends_the_same(undisturbed: Undisturbed) -> None:
    assert undisturbed.card.status == "complete"
    for seq in _pictures(undisturbed):
        undisturbed.camera.put_back(f"{seq:03d}")
        _check(undisturbed, f"after event {seq}", undisturbed.events[: seq + 1])


def test_killed_while_it_wrote_a_line(undisturbed: Undisturbed) -> None:
    for seq in _pictures(undisturbed)[1::4]:
        undisturbed.camera.put_back(f"{seq:03d}")
        line = undisturbed.events[seq + 1].model_dump_json()
        with undisturbed.paths().events.open("a", encoding="utf-8") as stream:
            stream.write(line[: len(line) // 2])
        _check(undisturbed, f"in the line of event {seq + 1}", undisturbed.events[: seq + 1])


def test_killed_in_the_middle_of_a_training(undisturbed: Undisturbed) -> None:
    names = sorted(path.name for path in undisturbed.camera.shots.glob("during *"))
    for name in names:
        undisturbed.camera.put_back(name)
        before, _ = read_events(undisturbed.paths().events)
        _check(undisturbed, name, before)


def test_killed_again_and_again(undisturbed: Undisturbed) -> None:
    """Each process manages two trainings and dies in the third."""
    shutil.rmtree(undisturbed.bench.homes.runs)
    begun: Counter[str] = Counter()
    for _ in range(12):
        cluster = FakeCluster(midway=_Bomb(3))
        try:
            card = undisturbed.run(cluster)
        except Killed:
            begun.update(cluster.trainings)
            continue
        begun.update(cluster.trainings)
        break
    assert _shared(card) == _shared(undisturbed.card)
    assert max(begun.values()) <= 2


class _Bomb:
    """Ends the process in the n-th training."""

    def __init__(self, fuse: int) -> None:
        self.fuse = fuse

    def __call__(self, job: Any) -> None:
        if isinstance(job, TrainJob):
            self.fuse -= 1
            if self.fuse == 0:
                raise Killed


def test_two_slots_end_as_one_does(undisturbed: Undisturbed, tmp_path: Path) -> None:
    two = Undisturbed(tmp_path, undisturbed.agent, slots=2)
    assert _shared(two.card) == _shared(undisturbed.card)
    for seq in _pictures(two)[2:4]:
        two.camera.put_back(f"{seq:03d}")
        _check(two, f"two slots, after event {seq}", two.events[: seq + 1])


def test_a_finished_run_is_answered_from_its_card(undisturbed: Undisturbed) -> None:
    first = undisturbed.run(FakeCluster())
    cluster = FakeCluster()
    assert undisturbed.run(cluster) == first
    assert not cluster.trainings
    assert not cluster.evaluations
