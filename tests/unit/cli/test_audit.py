"""`audit`, `runs review` and `leaderboard --against paper`, on a run of the toy task."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ft_bench.testing.bench import Bench, plugged
from ft_bench_baselines.grid import Grid

from .conftest import Cli, Ended


class _Run:
    def __init__(self, cli: Cli, bench: Bench, name: str) -> None:
        self.cli, self.bench, self.name = cli, bench, name
        self.card = bench.homes.runs / name / "card.json"

    def __call__(self, *args: str) -> Ended:
        homes = self.bench.homes
        return self.cli(
            *args,
            *("--runs-dir", str(homes.runs)),
            *("--cache-dir", str(homes.cache)),
            *("--private-dir", str(homes.private)),
        )


@pytest.fixture
def run(cli: Cli, tmp_path: Path) -> Iterator[_Run]:
    bench = Bench(tmp_path)
    card = bench.run(Grid, options={"trainings": "2", "variants": "2"})
    with plugged({("tasks", "toy"): "ft_bench.testing.toy"}):
        yield _Run(cli, bench, card.run_id)


def test_a_sound_run_ends_with_0_and_says_what_could_not_be_verified(run: _Run) -> None:
    assert run("audit", run.name).json()["not_verified"] == 0
    shutil.rmtree(run.card.parent / "nodes" / "000" / "v0" / "model")
    ended = run("audit", run.name)
    assert ended.code == 0
    assert ended.json()["wrong"] == 0
    assert ended.json()["not_verified"] == 1
    text = run("audit", run.name, "--format", "human").out
    assert "?      weights of n0v0: the weights are not here" in text


def test_a_forged_run_ends_with_5_and_cannot_be_accepted(run: _Run) -> None:
    card = json.loads(run.card.read_text())
    card["test"]["value"] = 1.0
    run.card.write_text(json.dumps(card))
    ended = run("audit", run.name)
    assert (ended.code, ended.json()["wrong"]) == (5, 2)
    assert "does not hold" in ended.err
    refused = run("runs", "review", run.name, "--accept", "--reason", "fine")
    assert refused.code == 5
    assert "cannot be accepted" in refused.err


def test_a_review_needs_a_verdict_and_a_reason(run: _Run) -> None:
    assert run("runs", "review", run.name, "--format", "human").out.count("not reviewed") == 1
    for words in (("--accept",), ("--accept", "--reject", "--reason", "x"), ("--reject",)):
        assert run("runs", "review", run.name, *words).code == 2


def test_a_rejected_run_is_shown_and_not_ranked(run: _Run) -> None:
    ended = run("runs", "review", run.name, "--reject", "--reason", "a leak", "--by", "me")
    assert (ended.json()["verdict"], ended.json()["by"]) == ("rejected", "me")
    board = run.cli("leaderboard", str(run.bench.homes.runs)).json()
    row = next(row for row in board["tables"][0]["rows"] if row["kind"] == "agent")
    assert (row["rank"], row["status"]) == (None, "rejected")
    assert row["flags"] == ["rejected: a leak"]


def test_an_accepted_card_goes_into_a_folder_of_cards(run: _Run, tmp_path: Path) -> None:
    board = tmp_path / "board"
    ended = run("runs", "review", run.name, "--accept", "--reason", "ok", "--into", str(board))
    assert ended.code == 0
    assert sorted(path.name for path in board.iterdir()) == [
        "predictions",
        f"{run.name}.json",
        f"{run.name}.review.json",
    ]
    homes = run.bench.homes
    places = ("--cache-dir", str(homes.cache), "--private-dir", str(homes.private))
    shown = run.cli("leaderboard", str(board), *places)
    assert shown.err == ""
    rows = {row["kind"]: row for row in shown.json()["tables"][0]["rows"]}
    assert rows["agent"]["rank"] == 1.0


def test_paper_rows_stand_beside_ours_unranked(cli: Cli, tmp_path: Path) -> None:
    from ft_bench.report.paper import published_rows

    rows = published_rows("paper")
    assert len(rows) == 10
    best = {row.name: row for row in rows["aci_bench"]}["paper: trex@gemini-3-pro"]
    assert (round(100 * (best.gain or 0)), best.weak) == (849, True)
    assert best.rank is None
    assert best.score_ci is not None
    assert "items alone" in best.score_ci.method
    ended = cli("leaderboard", str(tmp_path), "--against", "papers")
    assert ended.code == 2
    assert "did you mean 'paper'" in ended.err
