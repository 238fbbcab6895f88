"""Card: a run's result card as text for a terminal, one honest sentence first."""

from __future__ import annotations

from ft_bench.integrity import flag_words
from ft_bench.record import Card, Gain, Interval
from ft_bench.report.cells import field, wrap
from ft_bench.report.figures import (
    count,
    excludes_zero,
    interval,
    limits,
    metric_name,
    number,
    percent,
    score,
    signed,
    usage,
)
from ft_bench.report.recipe import lineage_words, overlap_words, recipe_words

__all__ = ["card_text", "delta_words", "headline", "normalised_words", "selected_words", "warnings"]

_STATUS = {
    "agent_failed": "The agent crashed; the run is scored on its best node.",
    "no_valid_model": "No valid model came out; the base alone is scored.",
    "cancelled": "The run was cancelled and is not scored.",
    "infrastructure": "The machine failed; the run is not scored and can be taken up again.",
    "rejected": "A reviewer rejected the run; it is ranked nowhere.",
    "integrity": "The run broke an integrity rule: its gain counts as nothing.",
}


def headline(card: Card) -> str:
    """What was reached, in one sentence that does not claim more than the interval shows."""
    name = metric_name(card.metric)
    if card.status == "integrity":
        return (
            f"{card.agent}'s run on {card.task} counts as no gain; its model scores "
            f"{number(card.test.value)} {name} on the sealed test."
        )
    if card.selected_node is None:
        return (
            f"{card.agent} left {card.task} where it was: the base scores "
            f"{number(card.base_test.value)} {name} on the sealed test, no gain."
        )
    lower = " (lower is better)" if card.direction == "min" else ""
    ci = card.gain.delta_ci
    return (
        f"{card.agent} took {card.task} from {number(card.base_test.value)} to "
        f"{number(card.test.value)} {name}{lower} on the sealed test "
        f"({signed(card.gain.delta)}, {ci.level:.0%} interval {_ends(ci)}, {_meaning(ci)})."
    )


def _ends(ci: Interval) -> str:
    return f"{signed(ci.low)} to {signed(ci.high)}"


def _meaning(ci: Interval) -> str:
    if not excludes_zero(ci):
        return "includes 0: it may be no gain at all"
    return "excludes no gain" if ci.low > 0 else "a loss"


def delta_words(gain: Gain) -> str:
    """The difference to the base with its paired interval."""
    inside = "" if excludes_zero(gain.delta_ci) else ", includes 0"
    return f"{signed(gain.delta)} ({_ends(gain.delta_ci)}, {gain.delta_ci.method}{inside})"


def normalised_words(gain: Gain) -> str:
    """The normalised gain with its interval, or why there is none."""
    if gain.value is None or gain.reference is None:
        return "none: the task has no reference score"
    ci = gain.ci
    ends = f" ({percent(ci.low, sign=True)} to {percent(ci.high, sign=True)})" if ci else ""
    weak = "; weak denominator" if gain.weak else ""
    published = "; base as published" if gain.base_source == "published" else ""
    return (
        f"{percent(gain.value, sign=True)}{ends} of the way from {number(gain.base)} to the "
        f"reference's {number(gain.reference)}{weak}{published}"
    )


def selected_words(card: Card) -> str:
    """Which node's variant went to the test, and what chose it."""
    if card.selected_node is None:
        return "the base model, untrained"
    by = {"validation": "by validation", "agent": "by the agent", "base": "by default"}
    return f"node {card.selected_node}, variant {card.selected_variant}, {by[card.selected_on]}"


def warnings(card: Card) -> list[str]:
    """What a reader must know before trusting the numbers."""
    found = [_STATUS[card.status]] if card.status in _STATUS else []
    if card.n_test_evaluations != 1:
        found.append(f"The sealed test was evaluated {card.n_test_evaluations} times, not once.")
    invalid = card.base_test.invalid / max(1, card.base_test.n)
    if invalid > 0.5 and card.selected_node is not None:
        found.append(
            f"The base gave no valid answer to {percent(invalid)} of the test: part of the gain is "
            "the form of the answers."
        )
    leaks = [item for item in card.overlap if item.exact]
    if leaks:
        found.append("Rows of the training set also stand in an evaluation split; see overlap.")
    if card.gain.weak:
        found.append(
            "Weak denominator: reference and base lie so close that a gain in percent says little."
        )
    return [*found, *(f"Flag: {flag_words(flag)}" for flag in card.flags)]


def card_text(card: Card, width: int = 80) -> str:
    """The whole card as lines of at most `width` columns."""
    lines = wrap(headline(card), width)
    for warning in warnings(card):
        lines += wrap(f"! {warning}", width)
    lines.append("")
    for label, text in _fields(card):
        lines += field(label, text, width)
    return "\n".join(lines) + "\n"


def _fields(card: Card) -> list[tuple[str, str]]:
    return [
        ("run", card.run_id),
        *_numbers(card),
        ("selected", selected_words(card)),
        *(("recipe" if not place else "", line) for place, line in enumerate(_recipe(card))),
        *_overlap(card),
        ("weights", lineage_words(card.lineage)),
        ("search", _search(card)),
        ("cost", usage(card.usage)),
        ("limits", limits(card.budget)),
        ("ended", f"{card.status}: {card.stop_reason}"),
        ("measured", _measured(card)),
    ]


def _numbers(card: Card) -> list[tuple[str, str]]:
    rows = [
        ("test", f"{score(card.test)} {metric_name(card.metric)}"),
        ("  base", score(card.base_test)),
        ("gain", delta_words(card.gain)),
        ("  normalised", normalised_words(card.gain)),
        ("validation", f"{score(card.validation)}; base {number(card.base_validation.value)}"),
    ]
    if card.confirmed_value is not None and card.confirmed is not None:
        mean = f"{number(card.confirmed_value)} ({interval(card.confirmed)})"
        rows.append(("  confirmed", f"{mean}, mean over seeds the selection did not see"))
    return rows


def _recipe(card: Card) -> list[str]:
    return recipe_words(card.selected_recipe) if card.selected_recipe else ["none"]


def _overlap(card: Card) -> list[tuple[str, str]]:
    words = [overlap_words(item) for item in card.overlap] or ["not measured: nothing was trained"]
    return [("overlap" if not place else "", line) for place, line in enumerate(words)]


def _search(card: Card) -> str:
    failed = f", {card.nodes_failed:,} failed" if card.nodes_failed else ""
    return f"{count(card.nodes, 'node')}{failed}, {count(card.trainings, 'training')}"


def _measured(card: Card) -> str:
    once = "test evaluated once" if card.n_test_evaluations == 1 else ""
    hardware = card.hardware_class or "hardware not named"
    parts = [
        f"task version {card.task_version}",
        f"scorer {card.scorer_version}",
        f"parser {card.parser}",
        card.profile,
        hardware,
        f"isolation {card.isolation}",
        f"network {card.network}",
        f"base {card.base_model}",
        f"seed {card.seed}",
        once,
    ]
    return ", ".join(part for part in parts if part)
