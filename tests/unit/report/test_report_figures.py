"""Numbers and cells as a person reads them."""

from __future__ import annotations

from math import nan

import pytest
from records_by_hand import CHINESE, HOSTILE

from ft_bench.record import Interval, Usage
from ft_bench.report import figures
from ft_bench.report.cells import columns, cut, field, pad, plain, width_of, wrap


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (nan, "–"),
        (0.0, "0.000"),
        (0.71, "0.710"),
        (-0.02, "−0.020"),
        (0.0001, "0.0001"),
        (3e-8, "3e-08"),
        (81.25, "81.2"),
    ],
)
def test_a_number_is_short_and_never_claims_zero_for_what_is_not(value, text) -> None:
    assert figures.number(value) == text


def test_a_difference_always_has_its_sign() -> None:
    assert [figures.signed(v) for v in (0.1, -0.1, None)] == ["+0.100", "−0.100", "–"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(8.49, "+849%"), (0.015, "+1.5%"), (-0.3, "−30%"), (0.0, "+0%"), (None, "–")],
)
def test_a_gain_is_in_percent(value, text) -> None:
    assert figures.percent(value, sign=True) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.44, "0.4 s"),
        (12.4, "12 s"),
        (200, "3 min 20 s"),
        (18_420, "5 h 07 min"),
        (183_600, "2 d 3 h"),
        (None, "–"),
    ],
)
def test_a_duration_has_two_units_at_most(value, text) -> None:
    assert figures.seconds(value) == text


def test_usage_leaves_out_what_was_not_touched() -> None:
    assert figures.usage(Usage(iterations=1, device_seconds=3)) == (
        "1 iteration, 3.0 s of device, 0.0 s of wall clock"
    )
    assert "1,200 tokens, $0.50" in figures.usage(Usage(tokens=1200, usd=0.5))


def test_limits_name_only_those_that_are_set() -> None:
    given = {"iterations": 20, "device_seconds": 7200.0, "usd": 5, "tokens": None, "wall": 1}
    assert figures.limits(given) == "20 iterations, 2 h 00 min of device, $5.00"
    assert figures.limits({}) == "none"


def test_an_interval_of_a_difference_excludes_zero_or_not() -> None:
    assert figures.excludes_zero(Interval(low=0.1, high=0.2))
    assert figures.excludes_zero(Interval(low=-0.2, high=-0.1))
    assert not figures.excludes_zero(Interval(low=0.0, high=0.2))


def test_no_control_character_reaches_the_terminal() -> None:
    shown = plain(f"a\n{HOSTILE}\u202eb\ud800")
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert shown.encode()
    assert "</script>" in shown


def test_a_chinese_character_takes_two_columns() -> None:
    assert width_of("数据ab") == 6
    assert cut("数据清洗", 5) == "数据…"
    assert pad("数据", 6, right=True) == "  数据"


@pytest.mark.parametrize("text", [CHINESE * 9, "word " * 99, "x" * 500, "", HOSTILE])
@pytest.mark.parametrize("width", [20, 40, 80])
def test_no_line_is_wider_than_the_terminal(text, width) -> None:
    lines = [*wrap(text, width, "  "), *field("label", text, width)]
    assert max(map(width_of, lines)) <= width


def test_wrapping_loses_nothing() -> None:
    assert "".join(line.strip() for line in wrap(CHINESE, 20, "  ")) == CHINESE


def test_of_a_text_of_a_megabyte_the_rest_is_counted() -> None:
    lines = wrap("x" * 1_000_000, 80)
    assert len(lines) < 30
    assert "998,000 more characters" in " ".join(lines)


def test_the_first_column_gives_way() -> None:
    rows = [("agent", "score"), ("a-rather-long-name-of-an-agent", "0.5")]
    assert columns(rows, [1], 20) == ["agent          score", "a-rather-lon…    0.5"]
