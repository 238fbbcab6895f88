"""The numbers behind the drawings: axes, growth curve, tree layout, strips."""

from __future__ import annotations

from itertools import pairwise

import pytest
from records_by_hand import (
    a_card,
    a_gain,
    a_run,
    concluded,
    evaluated,
    failed,
    planned,
    spent,
    write_run,
)

from ft_bench.record import Interval
from ft_bench.report.axis import Axis, axis_over
from ft_bench.report.curve import growth
from ft_bench.report.forest import forest
from ft_bench.report.history import read_history
from ft_bench.report.strip import effects, landing


@pytest.fixture
def history_of(tmp_path):
    return lambda bodies, card=None: read_history(write_run(tmp_path / "run", bodies, card))


def test_an_axis_places_values_and_names_round_ones() -> None:
    axis = Axis(0.0, 1.0, 100, 300)
    assert [axis.at(v) for v in (0, 0.5, 1, 9)] == [100, 200, 300, 300]
    assert axis.ticks(5) == [
        (100, "0.0"),
        (140, "0.2"),
        (180, "0.4"),
        (220, "0.6"),
        (260, "0.8"),
        (300, "1.0"),
    ]
    assert [text for _, text in Axis(0, 3, 0, 1).ticks(8, least=1)] == ["0", "1", "2", "3"]
    assert [text for _, text in Axis(-0.02, 0.02, 0, 1).ticks(2)] == ["−0.02", "0.00", "0.02"]


@pytest.mark.parametrize("values", [[], [0.0], [5.0, 5.0], [float("nan")], [-3.0]])
def test_an_axis_over_one_value_or_none_still_has_a_length(values) -> None:
    axis = axis_over(values, 0, 100)
    assert axis.high > axis.low
    assert axis.ticks()


def test_the_curve_has_every_node_and_the_best_so_far(history_of) -> None:
    (curve,) = growth(history_of(a_run()))
    by_node = {point.node: point for point in curve.points}
    assert {n: p.value for n, p in by_node.items()} == {0: 0.5, 1: 0.6, 2: None, 3: 0.55}
    assert by_node[2].shape == "failed"
    assert by_node[2].y == curve.floor
    assert by_node[1].y < by_node[3].y < by_node[0].y < curve.base
    assert by_node[1].high < by_node[1].y < by_node[1].low
    assert [p.node for p in curve.points if p.on_path] == [0, 1]
    steps = curve.best.removeprefix("M").replace("V", " ").replace("H", " ").split()
    assert steps[1] == str(by_node[0].y)
    assert steps[3] == steps[5] == str(by_node[1].y)
    assert [text for _, text in curve.x_ticks] == ["0", "1", "2", "3"]


def test_where_lower_is_better_the_line_goes_down(history_of) -> None:
    bodies = [planned(0, None), evaluated(0, 0, 0.9), planned(1, 0), evaluated(1, 0, 0.4)]
    (curve,) = growth(history_of(bodies, a_card(direction="min")))
    first, second = (point.y for point in curve.points)
    assert second > first
    assert f"V{second}" in curve.best


def test_metered_time_gives_a_second_curve(history_of) -> None:
    bodies = [planned(0, None), spent("a#1", 60.0), evaluated(0, 0, 0.4), concluded(0, "baseline")]
    bodies += [planned(1, 0), spent("b#2", 120.0), evaluated(1, 0, 0.5), concluded(1)]
    history = history_of(bodies)
    assert history.device_seconds_at == {0: 60.0, 1: 180.0}
    assert [curve.label for curve in growth(history)] == [
        "node (0 is the baseline)",
        "device-minutes",
    ]


def test_a_run_without_nodes_has_no_curve_and_an_empty_tree(history_of) -> None:
    history = history_of([evaluated(None, None, 0.1)])
    assert growth(history) == []
    assert forest(history).spots == ()


def test_the_tree_is_laid_out_without_collisions(history_of) -> None:
    bodies = [planned(0, None)] + [planned(n, (n - 1) // 3) for n in range(1, 500)]
    drawing = forest(history_of(bodies))
    places = {(spot.x, spot.y) for spot in drawing.spots}
    assert len(places) == len(drawing.spots) == 500
    assert len(drawing.edges) == 499
    assert all(0 < x < drawing.width and 0 < y < drawing.height for x, y in places)
    gaps = [b[1] - a[1] for a, b in pairwise(sorted(places)) if a[0] == b[0]]
    assert min(gaps) >= 44


def test_shape_and_tone_tell_status_and_verdict(history_of) -> None:
    drawing = forest(history_of([*a_run(), planned(4, 3)]))
    spots = {spot.node: spot for spot in drawing.spots}
    assert {n: (s.shape, s.tone) for n, s in spots.items()} == {
        0: ("square", "baseline"),
        1: ("circle", "new-best"),
        2: ("cross", "failed"),
        3: ("circle", "tie"),
        4: ("diamond", "running"),
    }
    assert [n for n, spot in spots.items() if spot.on_path] == [0, 1]
    assert [n for n, spot in spots.items() if spot.chosen] == [1]
    assert sum(edge.on_path for edge in drawing.edges) == 1
    assert spots[1].words == "Node 1: data, new best, 0.600 (+0.100 to its parent)"


def test_a_running_run_marks_the_path_to_its_best(history_of) -> None:
    bodies = [planned(0, None), evaluated(0, 0, 0.5), planned(1, 0), evaluated(1, 1, 0.7)]
    history = history_of([*bodies, planned(2, 0), failed(2, None)])
    assert history.chosen == "n1v1"
    assert history.path == (0, 1)


def test_a_card_is_drawn_with_every_interval() -> None:
    card = a_card(
        gain=a_gain(0.7, value=1.1, ci=Interval(low=1.0, high=1.2), reference=0.6),
        confirmed_value=0.7,
        confirmed=Interval(low=0.66, high=0.74),
    )
    marks = {mark.entry.label: mark for mark in landing(card).marks}
    assert marks["base on test"].x < marks["reference, published"].x < marks["this model on test"].x
    assert marks["reference, published"].start is None
    assert all(m.start <= m.x <= m.end for m in marks.values() if m.start is not None)
    assert len(marks) == 5


def test_insights_are_drawn_around_zero() -> None:
    drawn = effects(
        [
            {"feature": "lr", "effect": 0.05, "low": 0.01, "high": 0.09, "n": 4},
            {"feature": "warmup", "effect": -0.01, "low": -0.1, "high": 0.08, "n": 4},
        ]
    )
    assert drawn.marks[0].x > drawn.zero > drawn.marks[1].x
    assert [mark.entry.tone for mark in drawn.marks] == ["chosen", "plain"]


@pytest.mark.parametrize(
    "value",
    [None, [], "lr helps", [{"feature": "lr"}], [{"feature": "lr", "effect": "x"}], {"a": 1}],
)
def test_insights_of_another_form_are_not_drawn(value) -> None:
    assert effects(value) is None
