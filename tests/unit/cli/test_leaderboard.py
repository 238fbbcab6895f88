"""`leaderboard`: rows compared item by item, from cards and the outputs beside them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ft_bench.budget import Budget
from ft_bench.record import Card
from ft_bench.testing.bench import Bench, plugged
from ft_bench_baselines.grid import Grid
from ft_bench_baselines.untouched import Untouched

from .conftest import Cli, Ended

SEEDS = 3


class _Board:
    """Runs of two agents over seeds, and the command line on their folder."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.cards = [
            bench.run(agent, seed=seed, budget=Budget(iterations=1), options=options)
            for agent, options in (
                (Grid, {"trainings": "2", "variants": "2"}),
                (Untouched, {}),
            )
            for seed in range(SEEDS)
        ]

    def show(self, cli: Cli, folder: Path | None = None, *args: str) -> Ended:
        homes = self.bench.homes
        return cli(
            *("leaderboard", str(folder or homes.runs), *args),
            *("--cache-dir", str(homes.cache)),
            *("--private-dir", str(homes.private)),
        )

    def root(self, card: Card) -> Path:
        return self.bench.paths(card).root


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> _Board:
    return _Board(Bench(tmp_path_factory.mktemp("board")))


@pytest.fixture
def board(made: _Board) -> Iterator[_Board]:
    with plugged({("tasks", "toy"): "ft_bench.testing.toy"}):
        yield made


def rows_of(ended: Ended) -> dict[str, dict[str, Any]]:
    assert ended.code == 0, ended.err
    return {row["name"]: row for row in ended.json()["tables"][0]["rows"]}


def test_rows_are_compared_by_their_predictions(board: _Board, cli: Cli) -> None:
    ended = board.show(cli)
    rows = rows_of(ended)
    grid, untouched = rows["grid@offline"], rows["untouched@offline"]
    assert ended.err == ""
    assert (grid["basis"], untouched["basis"]) == ("predictions", "predictions")
    assert (grid["rank_low"], grid["rank_high"], untouched["rank"]) == (1, 1, 2.0)
    assert grid["score_ci"]["method"] == "two-level bootstrap"
    assert grid["score_ci"]["low"] < grid["score"] < grid["score_ci"]["high"]
    assert grid["score"] == pytest.approx(sum(c.test.value for c in board.cards[:SEEDS]) / SEEDS)
    # Its draws are all the same: what one seed's items say stands in place of no width.
    assert untouched["score_ci"]["high"] > untouched["score_ci"]["low"]


def test_the_same_cards_give_the_same_numbers(board: _Board, cli: Cli, tmp_path: Path) -> None:
    """Also where others stand beside them."""
    both = rows_of(board.show(cli))
    for card in board.cards[:SEEDS]:
        shutil.copytree(board.root(card), tmp_path / "some" / card.run_id)
    alone = rows_of(board.show(cli, tmp_path / "some"))
    numbers = ("score", "score_ci", "delta", "delta_ci", "gain", "gain_ci")
    for name in numbers:
        assert alone["grid@offline"][name] == both["grid@offline"][name]


def test_a_card_without_its_predictions_is_marked(board: _Board, cli: Cli, tmp_path: Path) -> None:
    for card in board.cards:
        shutil.copytree(board.root(card), tmp_path / "cards" / card.run_id)
    changed, absent = board.cards[:2]
    (tmp_path / "cards" / changed.run_id / changed.test.samples).write_text("{}")
    (tmp_path / "cards" / absent.run_id / absent.test.samples).unlink()
    ended = board.show(cli, tmp_path / "cards")
    rows = rows_of(ended)
    assert rows["grid@offline"]["basis"] == "card"
    assert rows["grid@offline"]["rank"] is not None
    assert rows["untouched@offline"]["basis"] == "predictions"
    assert f"{changed.run_id}: no predictions, the card stands alone: " in ended.err
    assert "is not the file that was scored" in ended.err
    assert "is not there" in ended.err
    text = board.show(cli, tmp_path / "cards", "--format", "human").out
    assert "grid@offline †" in text
    assert "† without its stored predictions" in text
    assert "†" not in board.show(cli, None, "--format", "human").out


def test_where_the_test_split_is_not_prepared_cards_stand_alone(
    board: _Board, cli: Cli, tmp_path: Path
) -> None:
    ended = cli("leaderboard", str(board.bench.homes.runs), "--private-dir", str(tmp_path / "none"))
    assert {row["basis"] for row in rows_of(ended).values()} == {"card"}
    assert "tasks prepare" in ended.err
    assert f"and {len(board.cards) - 1} more" in ended.err


def test_a_folder_that_is_not_there_is_a_usage_error(cli: Cli) -> None:
    ended = cli("leaderboard", "nowhere")
    assert ended.code == 2
    assert "'nowhere' is no folder" in ended.err


def test_a_gain_is_paired_with_a_run_of_the_reference(board: _Board, cli: Cli) -> None:
    """It takes the place of the published score."""
    reference = board.root(board.cards[1])
    rows = rows_of(board.show(cli, None, "--reference", str(reference)))
    grid, base = rows["grid@offline"], board.cards[0].base_test.value
    scored = board.cards[1].test.value
    expected = [(card.test.value - base) / (scored - base) for card in board.cards[:SEEDS]]
    assert grid["gain"] == pytest.approx(sum(expected) / SEEDS)
    assert grid["gain_ci"]["low"] < 1.0 < grid["gain_ci"]["high"]
    (kind,) = [row for row in rows.values() if row["kind"] == "reference"]
    assert (kind["score"], kind["gain"]) == (scored, 1.0)
    assert kind["score_ci"] == board.cards[1].test.ci.model_dump()
    published = rows_of(board.show(cli))
    assert published["grid@offline"]["gain"] == pytest.approx(
        sum(card.gain.value or 0.0 for card in board.cards[:SEEDS]) / SEEDS
    )
    assert published["reference"]["score_ci"] is None


def test_an_unknown_reference_is_a_usage_error(board: _Board, cli: Cli) -> None:
    ended = board.show(cli, None, "--reference", "nothing")
    assert ended.code == 2
    assert "nothing" in ended.err


def test_accepted_cards_take_their_predictions_along(
    board: _Board, cli: Cli, tmp_path: Path
) -> None:
    homes, into = board.bench.homes, tmp_path / "accepted"
    for card in board.cards[:2]:
        ended = cli(
            *("runs", "review", card.run_id, "--accept", "--reason", "ok", "--into", str(into)),
            *("--runs-dir", str(homes.runs), "--cache-dir", str(homes.cache)),
            *("--private-dir", str(homes.private)),
        )
        assert ended.code == 0, ended.err
    assert len(list((into / "predictions").iterdir())) == 3  # two entries, one base
    assert rows_of(board.show(cli, into))["grid@offline"]["basis"] == "predictions"
    kept = next((into / "predictions").iterdir())
    kept.write_text(json.dumps({"id": "x"}) + "\n")
    assert rows_of(board.show(cli, into))["grid@offline"]["basis"] == "card"
