"""A person steers from the command line: orders for a run's folder, and questions on a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ft_bench.cli import approve
from ft_bench.control import read_orders
from ft_bench.errors import Interrupted
from ft_bench.files import write_json
from ft_bench.record import Order, RunManifest
from ft_bench.store import Journal, RunPaths
from ft_bench.testing.records import bodies_of, grown, plan

from .conftest import Cli

RUN = "mini--trex@offline--s0--12345678"


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    """A stopped run with two nodes."""
    found = RunPaths(tmp_path / "results" / "runs" / RUN)
    journal = Journal(found)
    for body in bodies_of([(None, [0.5]), (0, [0.6])]):
        journal.append(body)
    journal.close()
    manifest = RunManifest(
        run_id=RUN,
        digest="d",
        task="mini",
        task_version="1",
        scorer_version="1",
        agent="trex",
        backend="offline",
        seed=0,
        base_model="b",
        base_digest="x",
        data_digest="y",
    )
    write_json(found.manifest, manifest)
    return found


def test_orders_go_into_the_runs_folder(cli: Cli, paths: RunPaths) -> None:
    for verb in ("pin", "unpin", "close", "reopen", "ban", "unban"):
        ended = cli("runs", verb, "mini--trex", "1")
        assert ended.code == 0
        assert ended.json() == {"run": RUN, "verb": verb, "node": 1, "name": "", "live": False}
    assert cli("runs", "ban", "mini--trex", "augment_smiles").code == 0
    assert cli("runs", "ban", "mini--trex", "variant.lr").code == 0
    orders, lines = read_orders(paths, 0)
    assert lines == 8
    assert orders[-2:] == (
        Order(verb="ban", name="augment_smiles"),
        Order(verb="ban", name="variant.lr"),
    )


def test_it_says_when_an_order_takes_effect(cli: Cli, paths: RunPaths) -> None:
    stopped = cli("runs", "close", "mini--trex", "1", "--format", "human")
    assert "node 1 gets no further child" in stopped.out
    assert "when it is taken up again" in stopped.out
    journal = Journal(paths)
    live = cli("runs", "close", "mini--trex", "1", "--format", "human")
    journal.close()
    assert "before its next node" in live.out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("pin", RUN, "7"), "has no node 7; expected 0 to 1"),
        (("ban", RUN, "7"), "has no node 7"),
        (("ban", RUN, "Drop Table!"), "is no node, operator or field"),
        (("ban", RUN, "variant.lrr"), "did you mean 'variant.lr'?"),
        (("pin", "nothing--like", "1"), "Unknown run"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    cli: Cli, paths: RunPaths, args: tuple[str, ...], words: str
) -> None:
    ended = cli("runs", *args)
    assert ended.code == 2
    assert words in ended.err
    assert read_orders(paths, 0) == ((), 0)


def test_a_complete_run_is_not_steered(cli: Cli, paths: RunPaths) -> None:
    paths.card.write_text("{}")
    ended = cli("runs", "pin", RUN, "1")
    assert ended.code == 2
    assert "is complete" in ended.err


def test_the_tree_shows_the_round_of_a_node(cli: Cli, paths: RunPaths) -> None:
    text = cli("tree", RUN, "--node", "1", "--format", "human").out
    assert "== Brief" in text
    assert "== Cost" in text
    kinds = [body["kind"] for body in cli("tree", RUN, "--node", "1").json()]
    assert kinds[0] == "planned"
    assert "concluded" in kinds
    assert cli("tree", RUN, "--node", "9").code == 2


def test_approve_needs_a_terminal(cli: Cli) -> None:
    ended = cli("eval", "mini", "--approve")
    assert ended.code == 2
    assert "--approve asks on a terminal" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def asked(monkeypatch: pytest.MonkeyPatch, *lines: str) -> tuple[bool, str, str]:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    made = plan(3e-4, strategy="adjust_training_scheme", objective="a higher rate")
    answer = approve.ask(grown([(None, [0.5])]), 0, made)
    return answer.yes, answer.reason, answer.note


def test_yes_no_and_a_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(monkeypatch, "y") == (True, "", "")
    shown = capsys.readouterr().err
    assert "Node 1 would refine node 0" in shown
    assert "a higher rate" in shown
    assert asked(monkeypatch, "what?", "n", "too dear") == (False, "too dear", "")
    assert asked(monkeypatch, "e", "mind the ethers", "yes") == (True, "", "mind the ethers")


def test_a_closed_terminal_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Interrupted):
        asked(monkeypatch)
