"""Spans: the LawBench sub-tasks whose answers are pieces of text (2-6 entities, 2-10 triggers)."""

from __future__ import annotations

import re

from ft_bench_scorers.lawbench.labels import labels_of
from ft_bench_scorers.lawbench.outcome import Outcome, char_f1

__all__ = ["entities", "named_entities", "triggers"]

_ABSENT = ("无", "未提及")
_SMALL = 1e-10
_VALUE = re.compile(r"\s*([^\n ]*)")


def _soft_f1(shared: float, found: int, wanted: int) -> float:
    precision, recall = shared / found if found else 0.0, shared / wanted if wanted else 0.0
    return 2.0 * precision * recall / (precision + recall + _SMALL)


def _value_after(text: str, end: int) -> str | None:
    """What stands behind a type's name that ends before `end`: up to a line's end or a blank."""
    if end >= len(text) - 2 or text[end] not in ":：":
        return None
    value = _VALUE.match(text, end + 1)[1].strip()  # type: ignore[index]  # it always matches
    return None if value in _ABSENT else value


def named_entities(text: str) -> dict[str, str]:
    """The entities that `text` names, by type; the last mention of a type wins."""
    found = {}
    for kind in labels_of("2-6"):
        start = text.find(kind)
        while start >= 0:
            value = _value_after(text, start + len(kind))
            if value is not None:
                found[kind] = value
            start = text.find(kind, start + len(kind))
    return found


def _gold_entities(gold: str) -> dict[str, str]:
    pairs = (pair.split(":", 1) for pair in gold.split(";") if ":" in pair)
    return {kind: value for kind, value in pairs}


def entities(text: str, gold: str) -> Outcome:
    """2-6: soft F1 of the entities; abstains where none is found and some are wanted."""
    wanted, found = _gold_entities(gold), named_entities(text)
    if not wanted:
        return float(not found), False, found
    if not found:
        return 0.0, True, found
    shared = sum(char_f1(wanted[kind], value) for kind, value in found.items() if kind in wanted)
    return _soft_f1(shared, len(found), len(wanted)), False, found


def triggers(text: str, gold: str) -> Outcome:
    """2-10: soft F1 of the words at equal places of two lists parted by ASCII semicolons."""
    wanted, found = gold.split(";"), text.split(";")
    shared = sum(char_f1(one, two) for one, two in zip(wanted, found, strict=False))
    return _soft_f1(shared, len(found), len(wanted)), False, found[:50]
