"""A real run of the built-in task: trained, killed, taken up again, graded, shown."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_bench.budget import Budget, Meter
from ft_bench.store import RunPaths, read_events
from ft_bench.testing.scripted_llm import Answer, Asked, serve
from ft_bench.testing.scripts import trex_on_mini

SMALL = (
    *("--budget.iterations", "1", "--budget.samples", "1200"),
    *("-A", "variants=2", "-A", "root_variants=2", "-A", "confirm_top=1", "-A", "confirm_seeds=1"),
)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "ft_bench.cli.main", *args]


def environment(home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_DATA_HOME": str(home / "data"),
    }


def evaluate(home: Path, runs: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("eval", "mini", *SMALL, "--runs-dir", str(home / runs), *args),
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )


def card_of(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert ended.returncode == 0, ended.stderr[-2000:]
    return json.loads(ended.stdout.strip().splitlines()[-1])["card"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mini")


@pytest.fixture(scope="module")
def undisturbed(home: Path) -> dict[str, Any]:
    return card_of(evaluate(home, "a", "--format", "json"))


def journal(home: Path, runs: str) -> list[Any]:
    (paths,) = [RunPaths(path.parent) for path in (home / runs).glob("*/run.json")]
    return [event.body for event in read_events(paths.events)[0]]


def kill_at(home: Path, runs: str, events: int) -> None:
    """Start the run and kill -9 the harness once its journal has so many lines."""
    args = command("eval", "mini", *SMALL, "--runs-dir", str(home / runs), "--format", "json")
    process = subprocess.Popen(
        args, env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 240
    while time.monotonic() < until and process.poll() is None:
        files = list((home / runs).glob("*/events.jsonl"))
        if files and files[0].read_bytes().count(b"\n") >= events:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_run_improves_the_base_and_leaves_a_card(undisturbed: dict[str, Any]) -> None:
    assert undisturbed["status"] == "complete"
    assert undisturbed["n_test_evaluations"] == 1
    assert undisturbed["base_test"]["n"] == undisturbed["test"]["n"] == 1000
    assert undisturbed["gain"]["delta_ci"]["low"] > 0
    assert undisturbed["gain"]["delta_ci"]["high"] > undisturbed["gain"]["delta_ci"]["low"]


def test_kill_9_loses_nothing(home: Path, undisturbed: dict[str, Any]) -> None:
    spent = []
    for events in (7, 15, 24):
        kill_at(home, "b", events)
        meter = Meter.of(Budget(), journal(home, "b"))
        spent.append((meter.spent.iterations, meter.spent.device_seconds))
    card = card_of(evaluate(home, "b", "--format", "json"))
    for field in ("selected_node", "selected_variant", "tree_digest", "trainings", "nodes"):
        assert card[field] == undisturbed[field], field
    for field in ("test", "base_test", "validation"):
        assert card[field]["value"] == undisturbed[field]["value"], field
        assert card[field]["ci"] == undisturbed[field]["ci"], field
    trained = Counter(body.model for body in journal(home, "b") if body.kind == "trained")
    assert set(trained.values()) == {1}
    assert spent == sorted(spent)
    assert spent[-1][1] <= card["usage"]["device_seconds"]


def test_the_same_command_on_a_finished_run_answers_at_once(
    home: Path, undisturbed: dict[str, Any]
) -> None:
    before = len(journal(home, "a"))
    assert card_of(evaluate(home, "a", "--format", "json")) == undisturbed
    assert len(journal(home, "a")) == before


def test_a_run_can_be_looked_at(home: Path, undisturbed: dict[str, Any]) -> None:
    run = str(next((home / "a").glob("*/run.json")).parent)
    for args, words in (
        (("tree", run), "baseline"),
        (("tree", run, "--node", "1"), "node 1"),
        (("runs", "show", run), "mini"),
        (("leaderboard", str(home / "a")), "trex"),
    ):
        ended = subprocess.run(
            command(*args, "--format", "human"),
            env=environment(home),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert words in ended.stdout.lower()
    assert "<svg" in (Path(run) / "report.html").read_text("utf-8")


def test_stored_predictions_score_to_the_card(home: Path, undisturbed: dict[str, Any]) -> None:
    run = next((home / "a").glob("*/run.json")).parent
    ended = subprocess.run(
        command("score", "--task", "mini", str(run / undisturbed["test"]["samples"])),
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    scored = json.loads(ended.stdout)
    assert scored["score"] == pytest.approx(undisturbed["test"]["value"], abs=1e-12)
    assert scored["n"] == 1000


def test_no_iterations_score_the_base_alone(home: Path, undisturbed: dict[str, Any]) -> None:
    ended = evaluate(home, "c", "--format", "json", "--budget.iterations", "0")
    card = card_of(ended)
    assert card["trainings"] == 0
    assert card["selected_on"] == "base"
    assert card["test"]["value"] == undisturbed["base_test"]["value"]
    assert card["gain"]["delta"] == 0


def test_a_budget_too_small_for_one_training_is_exit_4(home: Path) -> None:
    ended = evaluate(home, "d", "--format", "json", "--budget.device-hours", "0.0001")
    assert ended.returncode == 4
    assert "raise --budget.device-hours" in ended.stderr


TALKING = (
    *("--agent", "trex", "--backend", "local", "-A", "executor=code", "--format", "json"),
    *("--budget.iterations", "2", "--budget.samples", "600", "-A", "variants=1"),
    *("-A", "root_variants=1", "-A", "confirm_top=0", "-A", "researcher=rules"),
)


class Model:
    """The built-in script on a server, which kills its client at its fourth request."""

    def __init__(self) -> None:
        self.client: subprocess.Popen[str] | None = None
        self.answered: list[str] = []

    def __call__(self, asked: Asked) -> Answer:
        if asked.number == 3 and self.client is not None:
            self.client.kill()
            self.client.wait()
            return Answer(cut=True)
        self.answered.append(json.dumps(asked.messages))
        return trex_on_mini(asked)


@pytest.mark.timeout(1500)
def test_a_conversation_killed_twice_asks_nothing_twice(home: Path) -> None:
    """The code executor under a real server: by -9 in a request, and again in a training."""
    model = Model()
    with serve(model) as server:
        where = ("-B", f"base_url={server.url}", "--runs-dir", str(home / "talk"))
        args = command("eval", "mini", *TALKING, *where)

        def start() -> subprocess.Popen[str]:
            return subprocess.Popen(
                args,
                env=environment(home),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

        with start() as model.client:
            assert model.client.wait(600) == -signal.SIGKILL
        with start() as second:
            wait_for(second, lambda: '"Training n1v0"' in text_of(home / "talk"))
            second.kill()
        with start() as third:
            out, err = third.communicate(timeout=1000)
        assert third.returncode == 0, err[-2000:]
        bodies = journal(home, "talk")
        replies = [body for body in bodies if body.kind == "called" and body.used.tokens]
        orphans = [b.used.tokens for b in bodies if b.kind == "settled" and b.orphan]
        assert len(model.answered) == len(set(model.answered)) == len(replies) == server.answered
        assert sum(body.used.tokens for body in replies) == server.tokens
        card = json.loads(out.strip().splitlines()[-1])["card"]
        assert card["usage"]["tokens"] == server.tokens + sum(orphans)
        used = {
            body.value["name"]
            for body in bodies
            if body.kind == "called" and body.value.get("who") == "tool"
        }
        assert used == {"bash", "write", "submit_job", "job_status", "finish"}
        assert card["nodes"] == 3


def text_of(runs: Path) -> str:
    return "".join(path.read_text() for path in runs.glob("*/events.jsonl"))


def wait_for(process: subprocess.Popen[str], there: Callable[[], bool]) -> None:
    until = time.monotonic() + 600
    while not there():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
