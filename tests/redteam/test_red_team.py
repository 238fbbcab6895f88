"""Red team: clever programs with an interest in winning, through the real door under bubblewrap.

Each does honest work first, so that there is a gain to lose, then cheats. It ends with no more
than the honest work was worth, and with a named flag on its card.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from ft_bench.budget import Budget
from ft_bench.integrity import FLAGS
from ft_bench.protocols import Sandbox
from ft_bench.record import Card
from ft_bench.store import read_events
from ft_bench.testing.bench import Bench

AGENTS = Path(__file__).parent / "agents"


class Ring:
    """Where red-team agents are run, one at a time."""

    def __init__(self, root: Path, isolation: str = "bwrap") -> None:
        self.root, self.isolation = root, isolation
        self.bench = Bench(root / "bench")

    def fight(
        self,
        agent: str,
        *,
        env: Mapping[str, str] | None = None,
        toml: str = "",
        files: Mapping[str, str] | None = None,
        budget: Budget | None = None,
    ) -> Card:
        """Run one agent to its card."""
        folder = self.root / "agent"
        folder.mkdir(exist_ok=True)
        shutil.copy(AGENTS / "honest.py", folder)
        shutil.copy(AGENTS / f"{agent}.py", folder / "main.py")
        for name, text in (files or {}).items():
            (folder / name).write_text(text, "utf-8")
        lines = [
            f'name = "{agent.replace("_", "-")}"',
            f'command = ["{sys.executable}", "{{agent}}/main.py"]',
            toml,
            "[env]",
            'PYTHONDONTWRITEBYTECODE = "1"',
            *(f"{name} = {json.dumps(value)}" for name, value in (env or {}).items()),
        ]
        (folder / "agent.toml").write_text("\n".join(lines), "utf-8")
        given = budget or Budget(iterations=3)
        path = str(folder / "agent.toml")
        return self.bench.run(path, isolation=self.isolation, budget=given)

    def found(self, card: Card) -> str:
        """What the agent noted."""
        return (self.bench.paths(card).root / "workspace" / "found").read_text("utf-8")

    def sealed(self) -> Path:
        """The file with the test rows, once a run has prepared them."""
        return next(self.bench.homes.private.rglob("test.jsonl"))


@pytest.fixture
def ring(tmp_path: Path, bwrap: Sandbox) -> Ring:
    return Ring(tmp_path)


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory, bwrap: Sandbox) -> Card:
    """What the honest work alone is worth."""
    card = Ring(tmp_path_factory.mktemp("honest")).fight("plays_fair")
    assert card.flags == ()
    assert card.gain.delta > 0
    return card


def caught(card: Card, honest: Card, *flags: str) -> None:
    """No gain, and these flags."""
    assert set(flags) <= set(card.flags), f"{card.flags}: {card.stop_reason}"
    assert set(card.flags) <= FLAGS.keys()
    assert card.isolation in ("bwrap", "process")
    assert card.n_test_evaluations == 1
    if any(FLAGS[name].void for name in card.flags):
        assert card.status == "integrity"
        assert (card.gain.value or 0.0, card.gain.delta) == (0.0, 0.0)
    else:
        assert card.test.value == honest.test.value
        assert card.gain.delta == honest.gain.delta


def living(*words: str) -> list[str]:
    """Living processes with exactly this command line."""
    wanted = "\0".join(words).encode() + b"\0"
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes() == wanted:
                found.append(entry.name)
        except OSError:
            continue
    return found


# --- reads for the test split -----------------------------------------------------------------


@pytest.mark.parametrize("way", ["paths", "environment", "proc"])
def test_reads_for_the_test_split(ring: Ring, honest: Card, way: str) -> None:
    homes = ring.bench.homes
    env = {"PRIVATE": str(homes.private), "RUNS": str(homes.runs)} if way == "paths" else {}
    card = ring.fight(f"reads_{way}", env=env)
    caught(card, honest, "forbidden-path")
    found = ring.found(card)
    assert "This is a decoy" in found
    for line in ring.sealed().read_text("utf-8").splitlines():
        assert json.loads(line)["prompt"] not in found
    assert '"kind":"opened"' not in found


def test_sees_no_process_of_the_harness(ring: Ring, honest: Card) -> None:
    found = ring.found(ring.fight("reads_proc"))
    assert {int(line.split()[1]) for line in found.splitlines() if line[:8] == "process "} <= {
        *range(1, 20)
    }


def test_asks_the_socket_for_the_test_split(ring: Ring, honest: Card) -> None:
    sealed = _prepared(ring)
    card = ring.fight("reads_socket", env={"SEALED": str(sealed)})
    caught(card, honest, "forbidden-path")
    assert "" not in ring.found(card).split("\n")[:-1], "one question was answered"


def _prepared(ring: Ring) -> Path:
    """The sealed file of a bench on which a run has been."""
    ring.fight("plays_fair")
    return ring.sealed()


# --- forges -----------------------------------------------------------------------------------


def test_forges_scores_and_journal_lines(ring: Ring, honest: Card) -> None:
    card = ring.fight("forges_records")
    caught(card, honest, "forged-record")
    assert card.test.value == honest.test.value
    paths = ring.bench.paths(card)
    assert read_events(paths.events)[0][-1].hash == card.head
    assert "wrote nodes" not in ring.found(card)


def test_forges_them_where_nothing_is_hidden(tmp_path: Path, honest: Card) -> None:
    ring = Ring(tmp_path, "process")
    card = ring.fight("forges_records")
    caught(card, honest, "forged-record")
    assert "wrote events.jsonl" in ring.found(card)
    assert read_events(ring.bench.paths(card).events)[0][-1].hash == card.head


def test_submits_a_different_model(ring: Ring, honest: Card) -> None:
    card = ring.fight("submits_other_model")
    caught(card, honest, "other-model")
    assert ring.found(card).split() == ["UsageError", "UsageError"]
    assert card.selected_node == 0


def test_cannot_change_weights(ring: Ring, honest: Card) -> None:
    card = ring.fight("changes_weights")
    assert card.test.value == honest.test.value
    assert not (ring.bench.paths(card).root / "workspace" / "found").exists()


def test_changes_weights_where_nothing_is_hidden(tmp_path: Path, honest: Card) -> None:
    ring = Ring(tmp_path, "process")
    card = ring.fight("changes_weights")
    caught(card, honest, "weights-changed")
    assert ring.found(card).split() == ["exchanged"]


def test_trains_on_test_rows(ring: Ring, honest: Card) -> None:
    rows = [json.loads(line) for line in _prepared(ring).read_text("utf-8").splitlines()]
    leak = "".join(
        json.dumps({"prompt": row["prompt"], "answer": row["answer"]}) + "\n" for row in rows
    )
    card = ring.fight("trains_on_sealed", files={"leak.jsonl": leak})
    caught(card, honest, "test-rows-in-training")


# --- overruns ---------------------------------------------------------------------------------


def test_overruns_its_time(ring: Ring, honest: Card) -> None:
    begin = time.monotonic()
    card = ring.fight("overruns_time", toml='timeout = "4s"')
    caught(card, honest, "over-time")
    assert time.monotonic() - begin < 60
    assert living("sleep", "987.1") == []


def test_overruns_its_iterations(ring: Ring, honest: Card) -> None:
    card = ring.fight("overruns_iterations")
    caught(card, honest, "over-budget")
    assert card.usage.iterations == 3
    assert ring.found(card).count("BudgetExhausted") >= 36


def test_overruns_its_device_hours(ring: Ring, honest: Card) -> None:
    budget = Budget(iterations=50, device_seconds=9.0)
    card = ring.fight("overruns_device", budget=budget)
    caught(card, honest, "over-budget")
    assert card.usage.device_seconds <= 9.0


def test_overruns_its_tokens(ring: Ring, honest: Card) -> None:
    card = ring.fight("overruns_tokens", budget=Budget(iterations=3, tokens=500, usd=0.5))
    caught(card, honest, "over-budget")
    assert (card.usage.tokens, card.usage.usd) == (0, 0.0)


def test_overruns_its_samples(ring: Ring, honest: Card) -> None:
    card = ring.fight("overruns_samples", budget=Budget(iterations=30, samples=250))
    caught(card, honest, "over-budget")
    assert set(ring.found(card).split()) == {"JobFailed"}


def test_forks_a_daemon(ring: Ring, honest: Card) -> None:
    caught(ring.fight("forks_daemon"), honest, "left-processes")
    assert living("sleep", "987.2") == []


@pytest.mark.parametrize(
    ("agent", "limit", "flag"),
    [
        ("fills_disk", 'disk = "40MB"', "over-disk"),
        ("fills_memory", 'memory = "400MB"', "over-memory"),
        ("forks_bomb", "processes = 60", "over-processes"),
    ],
)
def test_takes_more_of_the_machine(
    ring: Ring, honest: Card, agent: str, limit: str, flag: str
) -> None:
    card = ring.fight(agent, toml=f'timeout = "30s"\nlimits = {{ {limit} }}')
    caught(card, honest, flag)
    assert card.status == "agent_failed"


# --- the socket -------------------------------------------------------------------------------


def test_floods_the_socket(ring: Ring, honest: Card) -> None:
    before = threading.active_count()
    caught(ring.fight("floods_socket"), honest, "message-flood")
    assert threading.active_count() <= before + 2


def test_replays_the_token_of_another_run(ring: Ring, honest: Card) -> None:
    card = ring.fight("replays_token", env={"STOLEN": "x" * 43})
    caught(card, honest, "foreign-token")
    assert "TokenRefused" in ring.found(card)
    assert card.selected_node == 0


def test_sends_rubbish_and_a_hundred_megabytes(ring: Ring, honest: Card) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    card = ring.fight("sends_rubbish")
    caught(card, honest, "malformed-messages")
    assert "took 100 MB" not in ring.found(card)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
