"""A program at the Lab's door: how it is started, watched, ended, and what becomes of the run."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from ft_bench.budget import Budget
from ft_bench.doors.host import Program, host
from ft_bench.errors import (
    BudgetExhausted,
    ConfigError,
    DataMissing,
    JobFailed,
    UnknownName,
)
from ft_bench.job import TrainJob
from ft_bench.record import Card
from ft_bench.store import read_manifest
from ft_bench.testing.bench import Bench
from ft_bench.testing.cluster import FakeCluster

WORK = """
import json, os, sys, time
from pathlib import Path
from ft_bench.wire import Line, address
line = Line(*address(os.environ))
ask = lambda verb, **args: line.ask(verb, args)
def node():
    plan = {"strategy": "establish_baseline", "objective": "look", "variants": [{"lr": 3e-4}]}
    ask("propose", plan=plan)
    dataset = ask("build", node=0)["dataset"]
    ask("train", node=0, variant=0, dataset=dataset)
    ask("evaluate", model="n0v0")
    ask("conclude", node=0)
"""
ISOLATION = [
    "none",
    "process",
    pytest.param(
        "bwrap", marks=pytest.mark.skipif(not shutil.which("bwrap"), reason="no bubblewrap here")
    ),
]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "bench")


def agent(tmp_path: Path, code: str, toml: str = "") -> str:
    """An agent.toml whose program is the code after WORK."""
    folder = tmp_path / "agent"
    folder.mkdir(exist_ok=True)
    (folder / "main.py").write_text(WORK + textwrap.dedent(code), encoding="utf-8")
    command = f'command = ["{sys.executable}", "{{agent}}/main.py"]'
    (folder / "agent.toml").write_text(f'name = "scripted"\n{command}\n{toml}', encoding="utf-8")
    return str(folder / "agent.toml")


def run(bench: Bench, given: str, cluster: FakeCluster | None = None, **changes: Any) -> Card:
    return bench.run(given, cluster, **{"budget": Budget(iterations=2), **changes})


def alive(marker: Path) -> bool:
    """Whether a process that wrote its id is there, seen from outside its namespace by its name."""
    words = marker.read_text("utf-8").split()
    return any(
        words[1].encode() in (entry / "cmdline").read_bytes()
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and (entry / "cmdline").exists()
    )


@pytest.mark.parametrize("isolation", ISOLATION)
def test_a_program_competes(bench: Bench, tmp_path: Path, isolation: str) -> None:
    card = run(bench, agent(tmp_path, "node()\nprint('done')"), isolation=isolation)
    assert card.status == "complete"
    assert card.agent == "scripted"
    assert card.isolation == isolation
    assert card.selected_node == 0
    assert card.flags == ()
    paths = bench.paths(card)
    assert (paths.root / "attempts" / "1" / "agent.log").read_text("utf-8") == "done\n"
    assert not (paths.root / "workspace" / "lab.sock").exists()


def test_it_finds_its_task_in_a_file_and_its_way_in_the_environment(
    bench: Bench, tmp_path: Path
) -> None:
    code = """
    node()
    told = {name: os.environ[name] for name in sorted(os.environ) if name.startswith("FT_BENCH")}
    told["argv"] = Path("/proc/self/cmdline").read_text()
    told["prompt"] = Path(told["FT_BENCH_PROMPT"]).read_text()
    told["here"] = os.getcwd()
    told["mode"] = os.environ["MODE"]
    Path("told.json").write_text(json.dumps(told))
    """
    toml = 'prompt = "words.md"\n[env]\nMODE = "fast"\n[options]\nrows = 7\n'
    given = agent(tmp_path, code, toml)
    (tmp_path / "agent" / "words.md").write_text("Be bold.", encoding="utf-8")
    card = run(bench, given, options={"rows": "8"}, isolation="process")
    workspace = bench.paths(card).root / "workspace"
    told = json.loads((workspace / "told.json").read_text("utf-8"))
    assert told["here"] == told["FT_BENCH_WORKSPACE"] == str(workspace)
    assert told["FT_BENCH_OPTION_ROWS"] == "8"
    assert told["mode"] == "fast"
    assert "Be bold." in told["prompt"]
    assert "ft-bench lab propose" in told["prompt"]
    assert "2 iterations" in told["prompt"]
    assert told["FT_BENCH_TOKEN"] not in told["argv"] + told["prompt"]
    assert "Be bold." not in told["argv"]


def test_a_crash_is_scored_on_the_best_node(bench: Bench, tmp_path: Path) -> None:
    card = run(bench, agent(tmp_path, "node()\nraise ValueError('I give up')"))
    assert card.status == "agent_failed"
    assert "I give up" in card.stop_reason
    assert card.selected_node == 0
    assert card.gain.delta != 0


def test_a_program_that_is_not_there_is_named(bench: Bench, tmp_path: Path) -> None:
    given = agent(tmp_path, "")
    path = Path(given)
    path.write_text(path.read_text("utf-8").replace(sys.executable, "no-such-program"), "utf-8")
    card = run(bench, given)
    assert card.status == "agent_failed"
    assert "no-such-program" in card.stop_reason
    assert card.gain.delta == 0


@pytest.mark.parametrize("isolation", ISOLATION)
def test_its_time_ends_and_all_of_it_is_dead(bench: Bench, tmp_path: Path, isolation: str) -> None:
    mark = f"sleeper-{time.time_ns()}"
    code = f"""
    import subprocess
    node()
    more = [sys.executable, "-c", "import time; time.sleep(600)", "{mark}"]
    subprocess.Popen(more, start_new_session=True)
    Path("mark").write_text("0 {mark}")
    time.sleep(600)
    """
    started = time.monotonic()
    card = run(bench, agent(tmp_path, code, "timeout = 6\n"), isolation=isolation)
    assert time.monotonic() - started < 120
    assert card.status == "complete"
    assert card.stop_reason.startswith("budget:")
    assert card.selected_node == 0
    assert not alive(bench.paths(card).root / "workspace" / "mark")


@pytest.mark.parametrize("isolation", ISOLATION)
def test_a_daemon_that_is_left_behind_is_killed(
    bench: Bench, tmp_path: Path, isolation: str
) -> None:
    mark = f"daemon-{time.time_ns()}"
    code = f"""
    node()
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        Path("mark").write_text("0 {mark}")
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", "{mark}"])
    while not Path("mark").exists():
        time.sleep(0.01)
    """
    card = run(bench, agent(tmp_path, code), isolation=isolation)
    assert card.status == "complete"
    assert not alive(bench.paths(card).root / "workspace" / "mark")


def test_it_is_ended_some_time_after_its_device_time(bench: Bench) -> None:
    with bench.lab(FakeCluster(), Budget(iterations=2, device_seconds=0.5)) as lab:
        code = "try:\n node()\nexcept Exception: time.sleep(600)"
        program = Program(command=(sys.executable, "-c", WORK + code), grace_seconds=0.3)
        with pytest.raises(BudgetExhausted, match="device-seconds"):
            host(lab, program, "none")


def test_the_exit_code_of_a_refusal_is_a_good_end(bench: Bench, tmp_path: Path) -> None:
    code = """
    from ft_bench.errors import BudgetExhausted
    node()
    try:
        ask("train", node=0, variant=0, replica=1, dataset=ask("build", node=0)["dataset"])
    except BudgetExhausted:
        sys.exit(4)
    """
    card = run(bench, agent(tmp_path, code), budget=Budget(iterations=2, device_seconds=4.5))
    assert card.status == "complete"
    assert "device-seconds" in card.stop_reason


def test_a_lost_machine_ends_the_run_and_not_the_agents_record(
    bench: Bench, tmp_path: Path
) -> None:
    lost = FakeCluster(fails=lambda job: "INFRA" if isinstance(job, TrainJob) else None)
    given = agent(tmp_path, "try:\n node()\nexcept Exception: time.sleep(600)")
    with pytest.raises(JobFailed, match="INFRA"):
        run(bench, given, lost)
    assert run(bench, given).status == "complete"


def test_another_byte_is_another_agent(bench: Bench, tmp_path: Path) -> None:
    first = run(bench, agent(tmp_path, "node()"))
    again = run(bench, agent(tmp_path, "node()"))
    other = run(bench, agent(tmp_path, "node()  # changed"))
    assert first == again
    assert first.run_id != other.run_id
    manifests = [read_manifest(bench.paths(card)) for card in (first, other)]
    assert manifests[0].agent == manifests[1].agent == "scripted"
    assert manifests[0].agent_origin != manifests[1].agent_origin


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = 'a'", "command"),
        ("name = 'A b'\ncommand = ['x']", "name"),
        ("name = 'a'\ncommand = ['x']\ncomand = 1", "comand"),
        ("name = ", "not valid TOML"),
        ("name = 'a'\ncommand = ['x']\ntimeout = 'soon'", "timeout"),
    ],
)
def test_a_malformed_agent_file_is_explained(
    bench: Bench, tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=words) as caught:
        run(bench, str(path))
    assert str(path) in str(caught.value)


def test_an_agent_that_is_not_there_is_a_sentence(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"expected an agent\.toml"):
        run(bench, str(tmp_path / "nowhere" / "agent.toml"))
    with pytest.raises(UnknownName, match="did you mean 'grid'"):
        run(bench, "gird")
    with pytest.raises(UnknownName, match="option of agent scripted"):
        run(bench, agent(tmp_path, ""), options={"rows": "8"})


HARNESS = """
import os, signal, sys
from pathlib import Path
from ft_bench.budget import Budget
from ft_bench.job import TrainJob
from ft_bench.testing.bench import Bench
from ft_bench.testing.cluster import FakeCluster
def die(job):
    if isinstance(job, TrainJob):
        os.kill(os.getpid(), signal.SIGKILL)
Bench(Path(sys.argv[1])).run(sys.argv[2], FakeCluster(midway=die), budget=Budget(iterations=2))
"""


def test_kill_9_in_the_middle_of_a_verb_and_the_same_command_again(
    bench: Bench, tmp_path: Path
) -> None:
    mark = f"orphan-{time.time_ns()}"
    code = f"sys.argv[1:] or os.execv(sys.executable, [sys.executable, __file__, '{mark}'])\n"
    given = agent(tmp_path, f"Path('mark').write_text('0 {mark}')\n{code}node()")
    root = bench.homes.runs.parent
    ended = subprocess.run(
        [sys.executable, "-c", HARNESS, str(root), given], capture_output=True, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    (marker,) = root.rglob("mark")
    until = time.monotonic() + 30
    while alive(marker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(marker)
    cluster = FakeCluster()
    card = run(bench, given, cluster)
    assert cluster.trainings == {"000/v0": 1}
    assert card == run(bench, given)
    whole = run(Bench(tmp_path / "whole"), given)
    assert (card.tree_digest, card.test) == (whole.tree_digest, whole.test)
