"""ACI-Bench divisions: a whole note cut at its headings, and Rouge-1 of each of the four parts.

Upstream evaluates whole notes so; FT-Bench's own number does not need it. A heading is known by its
words at the start of a line, in any case. Only the first heading of each division counts, and its
division runs to the next heading that counts. Text above the first heading is subjective.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ft_bench_scorers.rouge import rouge1, tokens

__all__ = ["ABSENT", "DIVISIONS", "divide", "division_scores"]

DIVISIONS = ("subjective", "objective_exam", "objective_results", "assessment_and_plan")

ABSENT = "#####EMPTY#####"
"""What stands for a division that a note does not have."""

_SUBJECTIVE, _EXAM, _FINDINGS, _PLAN = DIVISIONS
_HEADINGS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    (_SUBJECTIVE, ("cc", "chief complaint", "reason for visit"), ("chief complaint",)),
    (
        _SUBJECTIVE,
        ("history", "hpi", "hpi notes", "interval history", "interval hx", "subjective"),
        ("history of present illness", "hpi"),
    ),
    (_SUBJECTIVE, ("ros", "review of system", "review of systems"), ()),
    (_SUBJECTIVE, (), ("social history", "past history")),
    (
        _EXAM,
        ("pe", "physical findings", "examination", "exam"),
        ("physical examination", "physical exam"),
    ),
    (_EXAM, (), ("vitals reviewed",)),
    (_FINDINGS, ("findings",), ("results",)),
    (_PLAN, ("assessment", "a"), ()),
    (_PLAN, ("plan", "plan of care", "p", "medical decision-making plan"), ("summary plan",)),
    (
        _PLAN,
        ("ap", "a / p", "assessment & plan", "disposition / plan"),
        ("assessment and plan",),
    ),
)
"""By division: words that need a colon or a line of their own, and words that start a line."""

_NO_SPACE = frozenset({"a", "p"})
"""Headings whose colon must follow at once."""

_IMPRESSION = re.compile(r"\s*IMPRESSION")
_LINE_FEED = "__lf1__"


def _words(heading: str) -> str:
    return r"\s*".join(map(re.escape, heading.split(" ")))


def _pattern(with_colon: Sequence[str], free: Sequence[str]) -> re.Pattern[str]:
    starts = [_words(name) + (":" if name in _NO_SPACE else r"\s*:") for name in with_colon]
    starts += [_words(name) for name in free]
    alone = "|".join(map(_words, with_colon)) or r"(?!)"
    return re.compile(rf"\s*(?:{'|'.join(starts)}|(?:{alone})\s*$)", re.IGNORECASE)


_PATTERNS = tuple((division, _pattern(*names)) for division, *names in _HEADINGS)


def _division_of(line: str) -> str | None:
    """The division whose heading the line starts with, None for any other line."""
    for division, pattern in _PATTERNS:
        if pattern.match(line):
            return division
    return _PLAN if _IMPRESSION.match(line) else None


def divide(note: str) -> dict[str, str]:
    """The divisions that `note` has, in its order. Linear in its length for lines of words."""
    starts: dict[str, int] = {}
    offset = 0
    for line in note.split("\n"):
        division = _division_of(line)
        if division is None and not offset:
            division = _SUBJECTIVE
        if division is not None:
            starts.setdefault(division, offset)
        offset += len(line) + 1
    ends = [*list(starts.values())[1:], len(note)]
    return {name: note[at:end] for (name, at), end in zip(starts.items(), ends, strict=True)}


def division_scores(note: str, reference: str) -> dict[str, float]:
    """Rouge-1 F of each division; 1 where neither note has it.

    Line ends count as a token there, because upstream writes them as one.
    """
    ours, theirs = _marked(divide(note)), _marked(divide(reference))
    return {
        name: rouge1(tokens(ours.get(name, ABSENT)), tokens(theirs.get(name, ABSENT))).f
        for name in DIVISIONS
    }


def _marked(divisions: Mapping[str, str]) -> dict[str, str]:
    return {name: text.replace("\n", _LINE_FEED) for name, text in divisions.items()}
