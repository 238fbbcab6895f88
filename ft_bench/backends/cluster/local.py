"""LocalCluster: the entry point `cluster.local`; jobs as processes of this machine."""

from __future__ import annotations

import json
import logging
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ft_bench.backends.cluster import session
from ft_bench.job import Job, JobOutcome, begin, read_outcome

__all__ = ["LocalCluster"]

_logger = logging.getLogger(__name__)
_CLOSE_SECONDS = 5.0
_MAX_CPU_SLOTS = 4


@dataclass(slots=True)
class _Flight:
    """A job that the server was asked to run."""

    started: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    pid: int | None = None
    status: int | None = None
    cpu_seconds: float = 0.0


class _Server:
    """The harness's end of one fork server.

    The thread that starts the process reads from it for as long as it lives: the kernel ties the
    server's life to that thread, and so to the harness.
    """

    def __init__(self, preload: tuple[str, ...], environment: dict[str, str]) -> None:
        self.ready = threading.Event()
        self.gone = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None
        self._preload, self._environment = preload, environment
        self._flights: dict[int, _Flight] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._live, name="fork-server", daemon=True)
        self._thread.start()

    def launch(self, job: Path, environment: dict[str, str]) -> _Flight:
        """Ask for a job; returns at once. A dead server gives a flight that has ended."""
        flight = _Flight()
        with self._lock:
            if self.gone.is_set() or self.process is None or self.process.stdin is None:
                flight.started.set()
                flight.ended.set()
                return flight
            number = len(self._flights)
            self._flights[number] = flight
            line = json.dumps({"id": number, "job": str(job), "environment": environment})
            try:
                self.process.stdin.write(line.encode() + b"\n")
                self.process.stdin.flush()
            except OSError:  # the reading thread will see the end of the file and tell the flight
                _logger.warning("the fork server does not listen any more")
        return flight

    def stop(self) -> list[int]:
        """Close the pipe, wait, then kill what is left; returns the processes still alive."""
        if self.process is None:
            return []
        with self._lock:
            if self.process.stdin is not None:
                try:
                    self.process.stdin.close()
                except OSError:
                    _logger.debug("the fork server's pipe was already broken")
        self.gone.wait(_CLOSE_SECONDS)
        left = session.end(self.process.pid, grace_seconds=0.0)
        for flight in list(self._flights.values()):
            if flight.pid is not None and not flight.ended.is_set():
                left += session.end(flight.pid, grace_seconds=0.0)
        self._thread.join(_CLOSE_SECONDS)
        return left

    def _live(self) -> None:
        with subprocess.Popen(
            [sys.executable, "-m", "ft_bench.backends.cluster.fork_server", *self._preload],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,
        ) as process:
            self.process = process
            while process.stdout is not None and (line := process.stdout.readline()):
                self._hear(json.loads(line))
        with self._lock:
            self.gone.set()
            lost = [flight for flight in self._flights.values() if not flight.ended.is_set()]
        for flight in lost:
            if flight.pid is not None:
                session.end(flight.pid, grace_seconds=0.0)
            flight.started.set()
            flight.ended.set()
        self.ready.set()

    def _hear(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            self.ready.set()
            return
        flight = self._flights[message["id"]]
        if "pid" in message:
            flight.pid = message["pid"]
            flight.started.set()
        else:
            flight.status, flight.cpu_seconds = message["status"], message["cpu_seconds"]
            flight.ended.set()


class LocalCluster:
    """Runs each job in a fresh process, forked from a warm server; one job per slot.

    Args:
        slots: jobs at a time; by default one per CUDA device, else one per core, at most four.
        threads: CPU threads that libraries in a job may use; a job's own `threads` decides torch's.

    A server that dies takes its jobs along (each ends as INFRA) and is replaced at the next job.
    `preload` names the modules that it imports before the first fork.
    """

    preload: ClassVar[tuple[str, ...]] = (
        "transformers.models.qwen3.modeling_qwen3",
        "transformers.generation.utils",
        "peft",
        "ft_bench.backends.train.trainer",
        "ft_bench.backends.train.tokens",
        "ft_bench.backends.train.sft",
        "ft_bench.backends.generate.transformers_engine",
        "ft_bench.backends.worker",
    )

    def __init__(self, slots: int | None = None, threads: int = 1) -> None:
        devices = _cuda_devices()
        self.slots = slots or len(devices) or min(_cores(), _MAX_CPU_SLOTS)
        self.hardware = f"{devices[0]} x{len(devices)}" if devices else f"cpu-{_cores()}"
        self._threads = threads
        self._slots: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(self.slots):
            self._slots.put(number % len(devices) if devices else number)
        self._cuda = bool(devices)
        self._server: _Server | None = None
        self._lock = threading.Lock()
        self._closed = False

    def start(self) -> None:
        """Start the server in the background, where none runs; returns at once."""
        self._current()

    def run(self, job: Job, limit_seconds: float) -> JobOutcome:
        """Run one job and wait for it; its whole session is killed at the limit.

        The limit and `device_seconds` count from the fork: neither waiting for a slot nor the
        server's imports are the job's. An outcome that an earlier job left in `job.out` is
        removed; see `read_outcome` for one that can be used.

        Returns:
            The job's own outcome; TIMEOUT at the limit; OOM where the kernel killed it for memory;
            INFRA for any other death, with the cause.
        """
        slot = self._slots.get()
        try:
            return self._run(job, limit_seconds, slot)
        finally:
            self._slots.put(slot)

    def close(self) -> None:
        """Stop the server and every job, and verify that they are dead; may be called twice.

        Raises:
            RuntimeError: where a process cannot be ended.
        """
        with self._lock:
            self._closed = True
            server, self._server = self._server, None
        left = server.stop() if server is not None else []
        if left:
            raise RuntimeError(f"processes {left} are still alive after SIGKILL")

    def _current(self) -> _Server:
        with self._lock:
            if self._closed:
                raise RuntimeError("the cluster is closed; make a new LocalCluster")
            if self._server is None or self._server.gone.is_set():
                self._server = _Server(self.preload, self._environment())
            return self._server

    def _environment(self) -> dict[str, str]:
        threads = str(self._threads)
        return {
            **os.environ,
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
            # Ask NVML, not CUDA, how many devices there are: a server that starts CUDA cannot fork.
            "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
        }

    def _run(self, job: Job, limit_seconds: float, slot: int) -> JobOutcome:
        path = begin(job)
        server = self._current()
        server.ready.wait()
        killed_before = _kernel_kills()
        start = time.monotonic()
        flight = server.launch(path, {"CUDA_VISIBLE_DEVICES": str(slot)} if self._cuda else {})
        timed_out = not flight.ended.wait(limit_seconds)
        if timed_out:
            flight.started.wait()
        if flight.pid is not None:
            left = session.end(flight.pid, grace_seconds=1.0 if timed_out else 0.0)
            if left:
                _logger.error("processes %s of %s are still alive after SIGKILL", left, job.out)
        seconds = time.monotonic() - start
        if timed_out and read_outcome(Path(job.out)) is None:
            cause = f"still running after {limit_seconds:g} s; its processes were killed"
            outcome = JobOutcome(failure="TIMEOUT", cause=cause)
        else:
            outcome = _ended(job, flight, _kernel_kills() > killed_before)
        spent = {**outcome.seconds, "cpu": flight.cpu_seconds}
        return outcome.model_copy(update={"device_seconds": seconds, "seconds": spent})


def _ended(job: Job, flight: _Flight, kernel_killed: bool) -> JobOutcome:
    outcome = read_outcome(Path(job.out))
    if outcome is not None:
        return outcome
    if flight.status is None:
        return JobOutcome(failure="INFRA", cause="the fork server died while the job ran")
    if flight.status == -9 and kernel_killed:
        return JobOutcome(failure="OOM", cause="the kernel killed the job because memory ran out")
    how = f"signal {-flight.status}" if flight.status < 0 else f"exit status {flight.status}"
    return JobOutcome(
        failure="INFRA", cause=f"the job died with {how} and left no outcome{_tail(job)}"
    )


def _tail(job: Job) -> str:
    try:
        lines = (Path(job.out) / "log").read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    last = [line.strip() for line in lines if line.strip()][-1:]
    return f"; its log ends: {last[0][:300]}" if last else ""


def _kernel_kills() -> int:
    """How many processes the kernel has killed for memory since it booted; 0 where unknown."""
    try:
        text = Path("/proc/vmstat").read_text(encoding="ascii")
    except OSError:
        return 0
    counts = [int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill ")]
    return counts[0] if counts else 0


def _cores() -> int:
    count: Callable[[], int | None] = getattr(os, "process_cpu_count", os.cpu_count)
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return affinity or count() or 1


def _cuda_devices() -> list[str]:
    """The names of the CUDA devices that this process may use, without starting CUDA."""
    tool = shutil.which("nvidia-smi")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if tool is None or visible in ("", "-1"):
        return []
    answer = subprocess.run(
        [tool, "--query-gpu=name", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    names = [line.strip() for line in answer.stdout.splitlines() if line.strip()]
    return names[: len(visible.split(","))] if visible else names
