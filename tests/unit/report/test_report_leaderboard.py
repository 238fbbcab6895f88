"""The leaderboard: what may be ranked together, and how."""

from __future__ import annotations

import csv
import io
import json

import pytest
from records_by_hand import HOSTILE, a_card, a_gain

from ft_bench.record import Interval
from ft_bench.report.cards import read_cards
from ft_bench.report.cells import width_of
from ft_bench.report.leaderboard import (
    board,
    board_csv,
    board_html,
    board_json,
    board_markdown,
    board_text,
)
from ft_bench.suite import SUITES


def rows_of(*cards):
    (table,) = board(cards).tables
    return {row.name: row for row in table.rows}


def gained(gain: float, **fields):
    ci = Interval(low=gain - 0.1, high=gain + 0.1)
    return a_card(gain=a_gain(0.3, value=gain, ci=ci, reference=0.9), **fields)


def test_rows_are_ranked_by_test_score_with_base_and_reference_among_them() -> None:
    found = board([gained(0.5, agent="grid", value=0.4), gained(0.7, value=0.7)])
    (table,) = found.tables
    assert [row.name for row in table.rows] == [
        "reference",
        "trex@offline",
        "grid@offline",
        "base: tiny",
    ]
    assert [row.rank for row in table.rows] == [None, 1, 2, None]
    assert table.rows[-1].score == pytest.approx(0.004)


def test_where_lower_is_better_the_lowest_is_first() -> None:
    rows = rows_of(
        a_card(direction="min", value=0.2), a_card(direction="min", value=0.9, agent="grid")
    )
    assert rows["trex@offline"].rank == 1
    assert rows["trex@offline"].rank_high == 1


def test_rows_whose_intervals_overlap_are_marked_as_ties() -> None:
    rows = rows_of(
        a_card(value=0.7), a_card(agent="grid", value=0.68), a_card(agent="untouched", value=0.2)
    )
    assert (rows["trex@offline"].rank_low, rows["trex@offline"].rank_high) == (1, 2)
    assert (rows["grid@offline"].rank, rows["grid@offline"].tied) == (1.5, True)
    assert not rows["untouched@offline"].tied


@pytest.mark.parametrize(
    "name",
    [
        "task_version",
        "scorer_version",
        "parser",
        "base_model",
        "hardware_class",
        "profile",
        "isolation",
        "network",
    ],
)
def test_what_differs_in_its_conditions_is_never_ranked_together(name) -> None:
    found = board([a_card(), a_card(agent="grid", **{name: "other"})])
    assert len(found.tables) == 2
    assert all(row.rank in (1, None) for table in found.tables for row in table.rows)


def test_seeds_of_one_agent_are_one_row_with_a_wider_interval() -> None:
    rows = rows_of(a_card(seed=0, value=0.6), a_card(seed=1, value=0.7), a_card(seed=2, value=0.8))
    row = rows["trex@offline"]
    assert row.seeds == (0, 1, 2)
    assert row.score == pytest.approx(0.7)
    # Student's t with 2 degrees of freedom: 4.303 * 0.1 / sqrt(3), and the items' 0.03 beside it.
    assert row.score_ci.high - row.score == pytest.approx(0.25, abs=0.04)
    assert row.basis == "card"


def test_one_seed_keeps_its_own_interval() -> None:
    assert rows_of(a_card())["trex@offline"].score_ci == a_card().test.ci


def test_other_options_or_limits_make_another_row() -> None:
    other = "mini--trex@offline--s0--ffff0000"
    rows = rows_of(a_card(), a_card(run_id=other, value=0.5))
    assert set(rows) == {"trex@offline #abcd1234", "trex@offline #ffff0000", "base: tiny"}
    more = a_card(run_id="mini--trex@offline--s0--abcd1234.2", budget={"iterations": 9})
    assert "trex@offline (9 iterations)" in rows_of(a_card(), more)


@pytest.mark.parametrize("status", ["integrity", "infrastructure", "cancelled"])
def test_what_must_not_be_ranked_is_shown_without_a_rank(status) -> None:
    found = board([a_card(agent="grid"), a_card(value=0.9, status=status)])
    row = next(row for row in found.tables[0].rows if row.name == "trex@offline")
    assert row.rank is None
    assert status in board_text(found)
    rows = {row.name: row for row in found.tables[0].rows}
    assert rows["grid@offline"].rank == 1


def test_one_broken_seed_takes_the_rank_from_all() -> None:
    rows = rows_of(a_card(seed=0), a_card(seed=1, status="integrity", flags=("forged score",)))
    assert rows["trex@offline"].rank is None
    assert rows["trex@offline"].seeds == (0,)
    assert rows["trex@offline"].flags == ("forged score",)


def test_a_complete_suite_is_ranked_by_its_median_gain() -> None:
    cards = [
        gained(gain, task=task, agent=agent, value=value)
        for agent, value, gains in (("trex", 0.8, (0.2, 0.9, 0.6)), ("grid", 0.5, (0.1, 0.2, 0.4)))
        for task, gain in zip(SUITES["lite"], gains, strict=True)
    ]
    lite = [row for row in board(cards).headlines if row.suite == "lite"]
    assert [(row.name, row.rank, row.tasks, row.of) for row in lite] == [
        ("trex@offline", 1, 3, 3),
        ("grid@offline", 2, 3, 3),
    ]
    assert lite[0].median_gain == pytest.approx(0.6)
    assert lite[1].mean_rank == pytest.approx(2.0)


def test_an_incomplete_suite_is_shown_but_not_ranked() -> None:
    cards = [gained(0.5, task=task) for task in SUITES["all"][:4]]
    (row,) = [row for row in board(cards).headlines if row.suite == "all"]
    assert (row.tasks, row.of, row.rank) == (4, 10, None)
    assert "incomplete" in board_text(board(cards))
    assert "4/10" in board_text(board(cards))


def test_a_headline_never_mixes_hardware() -> None:
    cards = [gained(0.5, task="sst2"), gained(0.5, task="hoc", hardware_class="other")]
    assert board(cards).headlines == ()


def test_a_weak_denominator_is_marked() -> None:
    card = a_card(
        gain=a_gain(0.3, value=8.49, ci=Interval(low=7.0, high=9.0), reference=0.24, weak=True)
    )
    assert "~+849%" in board_text(board([card]), 120)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_text_stays_within_the_width(width) -> None:
    cards = [a_card(), a_card(agent=HOSTILE), a_card(agent="数据" * 30, value=0.2)]
    text = board_text(board(cards), width)
    assert "\x1b" not in text
    assert max(map(width_of, text.splitlines())) <= width


def test_an_empty_board_says_how_to_fill_it() -> None:
    assert "ft-bench eval" in board_text(board([]))


def test_a_name_cannot_leave_its_cell_in_markdown() -> None:
    text = board_markdown(board([a_card(agent="a | b\n| <b>x</b> [l](http://x)")]))
    row = next(line for line in text.splitlines() if "@offline" in line)
    assert row.replace("\\|", "").count("|") == 10
    assert "<b>" not in text
    assert "[l](" not in text


def test_the_html_board_is_one_offline_page_that_runs_nothing() -> None:
    cards = [
        gained(0.5, task=task, agent=agent, value=0.5 + 0.1 * place, flags=flags)
        for task in SUITES["lite"]
        for place, (agent, flags) in enumerate((("grid", ()), (HOSTILE, ("malformed-messages",))))
    ]
    page = board_html(board(cards))
    assert "<script" not in page
    assert "<img" not in page
    assert "\x1b" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page
    assert page.count("<svg") == page.count("</table>") - 2 == 3  # two suites have no drawing
    assert "suite lite" in page
    assert "sent what is no message" in page
    assert "No cards yet" in board_html(board([]))


def test_csv_has_every_number_in_full_and_no_formula() -> None:
    text = board_csv(board([a_card(value=0.123456789), a_card(agent="=1+1")]))
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(text))}
    assert rows["trex@offline"]["score"] == "0.123456789"
    assert rows["trex@offline"]["seeds"] == "0"
    assert "'=1+1@offline" in rows
    assert rows["base: tiny"]["rank"] == ""


def test_json_is_the_board() -> None:
    data = json.loads(board_json(board([a_card()])))
    assert data["tables"][0]["rows"][0]["name"] == "trex@offline"
    assert data["tables"][0]["conditions"]["task"] == "mini"


def test_cards_are_read_and_what_is_none_is_named(tmp_path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "card.json").write_text(a_card().model_dump_json())
    (tmp_path / "two.json").write_text(a_card(seed=1).model_dump_json())
    (tmp_path / "copy.json").write_text(a_card(seed=1).model_dump_json())
    (tmp_path / "broken.json").write_text('{"run_id": 3')
    (tmp_path / "foreign.json").write_bytes(b"\xff\xfe[]")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "notes.txt").write_text("no card")
    cards, skipped = read_cards(tmp_path)
    assert sorted(card.seed for card in cards.values()) == [0, 1]
    assert {path.name for path in cards} == {"card.json", "copy.json"}
    assert [line.partition(":")[0] for line in skipped] == [
        "broken.json",
        "folder.json",
        "foreign.json",
        "two.json",
    ]
    assert not any(str(tmp_path) in line for line in skipped)


def test_a_folder_that_is_not_there_has_no_cards(tmp_path) -> None:
    assert read_cards(tmp_path / "none") == ({}, [])
