"""LocalCluster, with real processes: limits, deaths, and nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ft_bench.backends.cluster import session
from ft_bench.backends.cluster.local import LocalCluster
from ft_bench.job import JobOutcome, ModelRef, TrainJob, finished
from ft_bench.plan import Variant

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module", autouse=True)
def _light() -> Iterator[None]:
    """The jobs here are light: a server that imports no torch is up sooner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalCluster, "preload", ("ft_bench.backends.worker",))
        yield


@pytest.fixture(scope="module")
def cluster(plugin_folder: Path) -> Iterator[LocalCluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(plugin_folder))
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        made = LocalCluster(slots=2)
        made.start()
        yield made
        made.close()


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., TrainJob]:
    def make(trainer: str, name: str = "job") -> TrainJob:
        return TrainJob(
            init=ModelRef(base="none"),
            dataset=str(tmp_path / "signal"),
            dataset_hash="",
            variant=Variant(),
            seed=0,
            out=str(tmp_path / name),
            token_cache=str(tmp_path / "tokens"),
            trainer=trainer,
        )

    return make


def pids(job: TrainJob) -> list[int]:
    path = Path(job.out, "pids")
    until = time.monotonic() + 60
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < until, "the job never began"
        time.sleep(0.01)
    return [int(word) for word in path.read_text().split()]


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state in "ZX"


def wait_until_gone(found: list[int]) -> None:
    until = time.monotonic() + 20
    while not all(map(gone, found)):
        assert time.monotonic() < until, f"{[pid for pid in found if not gone(pid)]} still live"
        time.sleep(0.02)


def in_background(
    cluster: LocalCluster, job: TrainJob
) -> tuple[threading.Thread, list[JobOutcome]]:
    ended: list[JobOutcome] = []
    thread = threading.Thread(target=lambda: ended.append(cluster.run(job, 60)))
    thread.start()
    return thread, ended


def test_a_job_runs_in_a_session_of_its_own(
    cluster: LocalCluster, job: Callable[..., TrainJob]
) -> None:
    first, second = job("fine", "a"), job("fine", "b")
    outcome = cluster.run(first, 60)
    assert outcome.failure is None
    assert outcome.training is not None
    assert 0 < outcome.device_seconds < 60
    ended = finished(first)
    assert ended is not None
    assert ended.training == outcome.training
    cluster.run(second, 60)
    who = [Path(each.out, "who").read_text().split() for each in (first, second)]
    assert all(pid == leader for pid, leader, _ in who)
    assert who[0][0] != who[1][0]
    assert who[0][2] == who[1][2], "both come from one warm server"


def test_at_the_limit_the_job_and_its_grandchildren_are_dead(
    cluster: LocalCluster, job: Callable[..., TrainJob]
) -> None:
    slow = job("lingers")
    outcome = cluster.run(slow, 2.0)
    assert outcome.failure == "TIMEOUT"
    assert "2 s" in outcome.cause
    assert outcome.device_seconds >= 2.0
    assert all(map(gone, pids(slow)))


def test_what_a_job_leaves_behind_is_ended_and_its_outcome_counts(
    cluster: LocalCluster, job: Callable[..., TrainJob]
) -> None:
    untidy = job("leaves_a_daemon")
    assert cluster.run(untidy, 60).failure is None
    assert all(map(gone, pids(untidy)))


def test_a_job_that_dies_is_infra_with_the_signal_and_the_end_of_its_log(
    cluster: LocalCluster, job: Callable[..., TrainJob]
) -> None:
    outcome = cluster.run(job("dies"), 60)
    assert outcome.failure == "INFRA"
    assert "signal 9" in outcome.cause
    assert "about to die" in outcome.cause


def test_a_jobs_own_failure_is_kept(cluster: LocalCluster, job: Callable[..., TrainJob]) -> None:
    assert cluster.run(job("diverges"), 60).failure == "DIVERGED"


def test_two_jobs_run_side_by_side_and_a_third_waits(
    cluster: LocalCluster, job: Callable[..., TrainJob], tmp_path: Path
) -> None:
    jobs = [job("waits", name) for name in "abc"]
    running = [in_background(cluster, each) for each in jobs]
    until = time.monotonic() + 60
    while sum(Path(each.out, "pids").exists() for each in jobs) < 2:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert sum(Path(each.out).exists() for each in jobs) == 2
    (tmp_path / "signal").touch()
    for thread, _ in running:
        thread.join(60)
    assert [ended[0].failure for _, ended in running] == [None] * 3


def test_a_server_that_is_killed_takes_its_jobs_along_and_is_replaced(
    cluster: LocalCluster, job: Callable[..., TrainJob]
) -> None:
    lost = job("lingers", "lost")
    thread, ended = in_background(cluster, lost)
    left = pids(lost)
    assert cluster._server is not None
    assert cluster._server.process is not None
    os.kill(cluster._server.process.pid, signal.SIGKILL)
    thread.join(30)
    assert ended[0].failure == "INFRA"
    assert "server died" in ended[0].cause
    wait_until_gone(left)
    assert cluster.run(job("fine", "after"), 60).failure is None


HARNESS = """
import sys
from pathlib import Path
from ft_bench.backends.cluster.local import LocalCluster
from ft_bench.job import read_job

LocalCluster.preload = ()
cluster = LocalCluster(slots=1)
cluster.start()
while cluster._server is None or cluster._server.process is None:
    pass
print(cluster._server.process.pid, flush=True)
cluster.run(read_job(Path(sys.argv[1])), 600)
"""


def test_when_the_harness_is_killed_server_jobs_and_grandchildren_die(
    job: Callable[..., TrainJob], plugin_folder: Path, tmp_path: Path
) -> None:
    slow = job("lingers")
    (tmp_path / "spec.json").write_text(slow.model_dump_json())
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS, str(tmp_path / "spec.json")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(plugin_folder), "CUDA_VISIBLE_DEVICES": ""},
    )
    with harness:
        assert harness.stdout is not None
        server = int(harness.stdout.readline())
        family = [server, *pids(slow)]
        assert not any(map(gone, family))
        harness.kill()
    wait_until_gone(family)


def test_closing_ends_what_runs_and_may_be_repeated(
    job: Callable[..., TrainJob], plugin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(plugin_folder))
    cluster, slow = LocalCluster(slots=1), job("lingers")
    thread, ended = in_background(cluster, slow)
    left = pids(slow)
    assert cluster._server is not None
    assert cluster._server.process is not None
    server = cluster._server.process.pid
    cluster.close()
    cluster.close()
    assert all(map(gone, left))
    assert session.alive(server) == []
    thread.join(10)
    assert ended[0].failure == "INFRA"
    with pytest.raises(RuntimeError, match="closed"):
        cluster.start()


def test_nothing_is_started_before_it_is_needed() -> None:
    idle = LocalCluster()
    assert idle._server is None
    assert idle.slots >= 1
    assert idle.hardware
    idle.close()
