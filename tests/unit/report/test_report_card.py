"""The result card as text."""

from __future__ import annotations

import pytest
from records_by_hand import CHINESE, HOSTILE, a_card, a_gain, a_score

from ft_bench.record import Interval, Overlap
from ft_bench.report.card import card_text, headline, warnings
from ft_bench.report.cells import width_of


def with_reference(**fields):
    ci = Interval(low=1.1, high=1.22)
    return a_gain(0.7, value=1.16, ci=ci, reference=0.607, **fields)


def test_the_first_sentence_says_what_was_reached() -> None:
    assert headline(a_card(value=0.704)) == (
        "trex took mini from 0.004 to 0.704 Macro-F1 on the sealed test "
        "(+0.700, 95% interval +0.670 to +0.730, excludes no gain)."
    )


def test_an_interval_with_zero_in_it_is_said_to_have_it() -> None:
    assert "includes 0: it may be no gain at all" in headline(a_card(value=0.02))


def test_a_loss_is_called_a_loss() -> None:
    card = a_card(value=0.1, gain=a_gain(-0.2, 0.05))
    assert "(−0.200, 95% interval −0.250 to −0.150, a loss)" in headline(card)


def test_where_lower_is_better_the_sentence_says_so() -> None:
    assert "(lower is better)" in headline(a_card(direction="min"))


def test_a_run_without_a_model_claims_nothing() -> None:
    card = a_card(
        status="no_valid_model", selected_node=None, selected_variant=None, selected_on="base"
    )
    assert headline(card).endswith("no gain.")
    assert any("base alone" in warning for warning in warnings(card))


def test_every_number_stands_beside_its_interval() -> None:
    text = card_text(
        a_card(gain=with_reference(), confirmed_value=0.69, confirmed=a_score(0.69).ci)
    )
    assert "test         0.710 (0.680 to 0.740, n 300, 2 invalid) Macro-F1" in text
    assert "  base       0.004 (0.002 to 0.006, n 300, 2 invalid)" in text
    assert "+116% (+110% to +122%) of the way from 0.004 to the reference's" in text
    assert "  confirmed  0.690 (0.660 to 0.720)" in text
    assert "5 nodes, 1 failed, 14 trainings" in text
    assert "4 iterations, 1 h 02 min of device, 1 h 06 min of wall clock" in text
    assert "complete: the agent ended" in text
    assert "test evaluated once" in text


def test_a_weak_denominator_is_marked() -> None:
    text = card_text(a_card(gain=with_reference(weak=True)))
    assert "! Weak denominator" in text
    assert "weak denominator" in text.partition("normalised")[2]


def test_without_a_reference_there_is_no_normalised_gain() -> None:
    assert "none: the task has no reference score" in card_text(a_card())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"flags": ("forbidden path read",)}, "Flag: forbidden path read"),
        ({"n_test_evaluations": 2}, "evaluated 2 times, not once"),
        (
            {"base_test": a_score(0.0, split="test", n=3)},
            "no valid answer to 67% of the test: part of the gain is the form",
        ),
        ({"status": "integrity"}, "broke an integrity rule"),
        ({"status": "agent_failed"}, "The agent crashed"),
        ({"overlap": (Overlap(split="test", exact=2, rows=9),)}, "also stand in an evaluation"),
    ],
)
def test_what_a_reader_must_know_comes_before_the_numbers(fields, words) -> None:
    text = card_text(a_card(**fields))
    assert words in " ".join(text.partition("\nrun ")[0].split())


def test_a_clean_run_has_no_warning() -> None:
    assert warnings(a_card()) == []


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("text", [HOSTILE, CHINESE * 5, "x" * 1_000_000])
def test_strange_text_stays_within_the_width(text, width) -> None:
    shown = card_text(a_card(stop_reason=text, flags=(text,)), width)
    assert "\x1b" not in shown
    assert max(map(width_of, shown.splitlines())) <= width
    assert len(shown) < 12_000
