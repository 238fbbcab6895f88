"""Session: everything that descends from a job is found and ended."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from ft_bench.backends.cluster import session

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

IGNORES_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('up', flush=True); time.sleep(600)"
)
IN_A_GROUP_OF_ITS_OWN = (
    "import subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],"
    " process_group=0); print(child.pid, flush=True); time.sleep(600)"
)


def started(code: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_a_process_that_ignores_sigterm_is_killed() -> None:
    process, _ = started(IGNORES_SIGTERM)
    with process:
        assert session.alive(process.pid) == [process.pid]
        assert session.end(process.pid, grace_seconds=0.1) == []
        assert process.wait(5) == -9


def test_a_grandchild_in_another_process_group_is_ended_too() -> None:
    process, grandchild = started(IN_A_GROUP_OF_ITS_OWN)
    with process:
        assert sorted(session.alive(process.pid)) == sorted([process.pid, int(grandchild)])
        assert session.end(process.pid, grace_seconds=2.0) == []
        assert process.wait(5) == -15


def test_a_grandchild_that_outlives_its_leader_is_found() -> None:
    process, grandchild = started(IN_A_GROUP_OF_ITS_OWN)
    with process:
        process.kill()
        process.wait(5)
        assert session.alive(process.pid) == [int(grandchild)]
        assert session.end(process.pid, grace_seconds=2.0) == []
        assert session.alive(process.pid) == []


def test_a_session_that_is_gone_needs_no_ending() -> None:
    process, _ = started("print('bye')")
    with process:
        process.wait(5)
    begin = time.monotonic()
    assert session.end(process.pid) == []
    assert time.monotonic() - begin < 1
