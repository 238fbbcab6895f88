"""A confined agent's programs: run by the harness, in cells that show no more than its own."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ft_bench.budget import Budget
from ft_bench.doors.commands import Command, Commands
from ft_bench.doors.socket_lab import SocketLab
from ft_bench.errors import MessageRefused, UsageError
from ft_bench.lab import MeteredLab
from ft_bench.lent_sandbox import LentSandbox, lent
from ft_bench.protocols import Cell, Limits
from ft_bench.record import Called, Card
from ft_bench.store import read_events
from ft_bench.testing.bench import Bench
from ft_bench.testing.cluster import FakeCluster
from ft_bench.testing.scripted_llm import serve
from ft_bench.testing.scripts import trex_on_mini
from ft_bench.wire import LAB_VARIABLE, TOKEN_VARIABLE

NEEDED = pytest.mark.skipif(not shutil.which("bwrap"), reason="no bubblewrap here")
ISOLATION = ["process", pytest.param("bwrap", marks=NEEDED)]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[MeteredLab]:
    with Bench(tmp_path).lab(FakeCluster(), Budget(iterations=3)) as found:
        (found.brief.workspace / "node-000").mkdir()
        yield found


@pytest.fixture(params=ISOLATION)
def sandbox(request: pytest.FixtureRequest, lab: MeteredLab) -> Iterator[LentSandbox]:
    commands = Commands(request.param)
    server = SocketLab(lab, lab.brief.workspace / "lab.sock", verbs=commands.verbs)
    server.start()
    try:
        where = {LAB_VARIABLE: str(server.path), TOKEN_VARIABLE: server.token}
        found = lent(request.param, where)
        assert found is not None
        yield found
    finally:
        commands.close()
        server.stop()


def said(sandbox: LentSandbox, folder: Path, command: str, **more: Any) -> tuple[str, Any]:
    """What a shell command wrote, and how it ended."""
    output = folder.parent.parent / "output"
    with output.open("wb") as stream:
        cell = Cell(workspace=folder, **more)
        started = sandbox.start(["bash", "-c", command], cell, stdout=stream.fileno())
    return output.read_bytes().decode("utf-8", "replace"), started.wait()


def test_a_program_works_in_its_folder(sandbox: LentSandbox, lab: MeteredLab) -> None:
    sandbox.check()
    folder = lab.brief.workspace / "node-000"
    text, ended = said(sandbox, folder, "pwd; echo $GREETING > made; echo oops >&2; exit 3")
    assert text == f"{folder}\noops\n"
    assert (ended.returncode, ended.reason) == (3, "exit")
    text, _ = said(sandbox, folder, "echo $GREETING", env={"GREETING": "hello there"})
    assert text == "hello there\n"
    assert (folder / "made").read_text() == "\n"


def test_bytes_that_are_no_text_and_a_long_output_survive(
    sandbox: LentSandbox, lab: MeteredLab
) -> None:
    folder = lab.brief.workspace / "node-000"
    said(sandbox, folder, r"printf '\377\200ok'")
    assert (lab.paths.root / "output").read_bytes() == b"\xff\x80ok"
    text, _ = said(sandbox, folder, "echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo last")
    assert text.startswith("first\n")
    assert text.endswith("xlast\n")
    assert (1 << 20) <= len(text) < (1 << 20) + 100


def test_limits_hold(sandbox: LentSandbox, lab: MeteredLab) -> None:
    folder = lab.brief.workspace / "node-000"
    assert said(sandbox, folder, "sleep 30", limits=Limits(seconds=0.5))[1].reason == "time"


@NEEDED
def test_neither_the_agent_nor_the_run_is_seen(lab: MeteredLab) -> None:
    commands, workspace = Commands("bwrap"), lab.brief.workspace
    (workspace / "agent.json").write_text("{}")
    asked = f"ls -a {workspace} {lab.paths.root}; env; cat {lab.setting.data.test}; ls /proc"
    command = Command(sandbox="bwrap", command=("bash", "-c", asked), folder="node-000")
    found = commands.answer(lab, command)["output"]
    assert "agent.json" not in found
    assert "FT_BENCH_TOKEN" not in found
    assert "events.jsonl" not in found
    assert "test.jsonl: No such file" in found
    assert str(os.getpid()) not in found.split()
    see = Command(sandbox="bwrap", command=("wc", "-l", str(lab.brief.train)), folder="node-000")
    assert commands.answer(lab, see)["ended"]["returncode"] == 0


@pytest.mark.parametrize("folder", ["link", "nothing", "", "file"])
def test_only_a_folder_of_the_workspace_may_be_written(
    lab: MeteredLab, tmp_path: Path, folder: str
) -> None:
    (lab.brief.workspace / "link").symlink_to(tmp_path)
    (lab.brief.workspace / "file").write_text("x")
    asked = Command(sandbox="process", command=("touch", "written"), folder=folder)
    with pytest.raises(UsageError, match="is no folder of the workspace"):
        Commands("process").answer(lab, asked)
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize("folder", ["..", "../x", "/etc", "a/b", ".hidden"])
def test_a_path_is_no_folder(folder: str) -> None:
    with pytest.raises(ValueError, match="folder"):
        Command(sandbox="bwrap", command=("true",), folder=folder)


@pytest.mark.parametrize("name", ["LD_PRELOAD=x", "A B", ""])
def test_a_variable_has_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="env"):
        Command(sandbox="bwrap", command=("true",), folder="a", env={name: "1"})


def test_no_sandbox_is_weaker_than_the_agents_own(lab: MeteredLab) -> None:
    asked = Command(sandbox="process", command=("true",), folder="node-000")
    with pytest.raises(UsageError, match="weaker than --isolation bwrap"):
        Commands("bwrap").answer(lab, asked)


def test_a_program_ends_with_its_agent(lab: MeteredLab) -> None:
    commands = Commands("process")
    asked = Command(sandbox="process", command=("sleep", "100"), folder="node-000")
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(commands.answer(lab, asked)))
    thread.start()
    until = time.monotonic() + 20
    while commands._running is None and time.monotonic() < until:
        time.sleep(0.01)
    commands.close()
    thread.join(20)
    assert found[0]["ended"]["reason"] == "killed"
    with pytest.raises(UsageError, match="the agent has ended"):
        commands.answer(lab, asked)


def test_wrong_words_are_refused(lab: MeteredLab, tmp_path: Path) -> None:
    commands = Commands("process")
    server = SocketLab(lab, tmp_path / "s", verbs=commands.verbs)
    server.start()
    try:
        where = {LAB_VARIABLE: str(server.path), TOKEN_VARIABLE: server.token}
        with pytest.raises(MessageRefused, match="sandbox"):
            LentSandbox("none", where).check()
    finally:
        server.stop()
    with pytest.raises(UsageError, match="no input, network or decoys"):
        LentSandbox("bwrap", where).start(["true"], Cell(workspace=tmp_path, network=True))
    assert lent("bwrap", {}) is None


OPTIONS = {
    "executor": "code",
    "root_variants": "1",
    "variants": "1",
    "confirm_top": "1",
    "confirm_seeds": "1",
}


class Talk:
    """A run of TREX's `code` executor whose model is asked over HTTP."""

    def __init__(self, root: Path, isolation: str, **options: str) -> None:
        bench = Bench(root)
        with serve(trex_on_mini) as server:
            self.card: Card = bench.run(
                "trex",
                backend="local",
                backend_options={"base_url": server.url, "model": "scripted"},
                isolation=isolation,
                options={**OPTIONS, **options},
                budget=Budget(iterations=2),
            )
        self.asked, self.tokens = len(server.requests), server.tokens
        self.paths = bench.paths(self.card)
        bodies = [event.body for event in read_events(self.paths.events)[0]]
        self.tools = [
            body.value
            for body in bodies
            if isinstance(body, Called) and body.key.startswith("executor ")
            if body.value.get("who") == "tool"
        ]


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Talk:
    return Talk(tmp_path_factory.mktemp("free"), "none", researcher="rules")


@NEEDED
@pytest.mark.parametrize("isolation", ISOLATION)
def test_trex_talks_and_writes_programs_confined_as_it_does_free(
    free: Talk, tmp_path: Path, isolation: str
) -> None:
    """The model is asked by the harness, its programs run in cells: the outcome is the same."""
    talk = Talk(tmp_path, isolation, researcher="rules")
    card = talk.card
    assert card.status == "complete", card.stop_reason
    assert (card.isolation, card.flags) == (isolation, ())
    assert {tool["name"] for tool in talk.tools} >= {"bash", "write", "submit_job", "job_status"}
    assert [(tool["name"], tool["text"], tool["ok"]) for tool in talk.tools] == [
        (tool["name"], tool["text"], True) for tool in free.tools
    ]
    assert (talk.asked, talk.tokens) == (free.asked, free.tokens)
    assert talk.tokens == card.usage.tokens
    assert card.test is not None
    assert free.card.test is not None
    assert card.test.value == free.card.test.value
    assert card.nodes == free.card.nodes == 3


@NEEDED
def test_the_researcher_asks_its_model_confined(tmp_path: Path) -> None:
    talk = Talk(tmp_path, "bwrap", executor="recipe")
    assert talk.card.status == "complete", talk.card.stop_reason
    assert talk.tokens == talk.card.usage.tokens > 0
    assert "baseline" in (talk.paths.node(1) / "context.md").read_text()
