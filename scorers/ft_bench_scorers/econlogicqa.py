"""EconLogicQA: the order of four events, exact match.

`strict` takes the first sequence "X, X, X, X" of letters A to D, comma and one blank between, as
the authors' configuration does. `verbatim` also cuts the output at the first "Q" and the first
"</s>" as that configuration's stop strings do. `lenient` follows the rules of a later proposal: it
reads other separators, any case, tight letters and prose, and wants a permutation.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import combinations

from ft_bench.protocols import ItemScore, Row
from ft_bench_scorers.means import MeanScorer
from ft_bench_scorers.reasoning import VERBATIM

__all__ = ["SCORER", "find_order", "pairwise_accuracy", "score_order"]

_STRICT = re.compile(r"(?:[A-D], ){3}[A-D]")
_STOPS = ("Q", "</s>")
_MARKER = re.compile(r"\b(?:answer|order|sequence|ordering)\b", re.IGNORECASE)
_GAP = r"(?:\s*(?:,|;|->|→|>|\|)\s*(?:(?:and|then)\s+)?|\s+(?:and|then)\s+|\s+)"
_RUN = re.compile(rf"(?<!\w)([a-d]){_GAP}([a-d]){_GAP}([a-d]){_GAP}([a-d])(?!\w)", re.IGNORECASE)
_TIGHT = re.compile(r"(?<!\w)([A-D])([A-D])([A-D])([A-D])(?!\w)", re.IGNORECASE)
_CAPITAL = re.compile(r"(?<!\w)[A-D](?!\w)")


def _author_order(text: str) -> str | None:
    found = _STRICT.search(text)
    return found.group() if found else None


def _permutation(letters: tuple[str, ...]) -> str | None:
    upper = [letter.upper() for letter in letters]
    return ", ".join(upper) if sorted(upper) == ["A", "B", "C", "D"] else None


def _lenient_order(text: str) -> str | None:
    for pattern in (_RUN, _TIGHT):
        for run in pattern.finditer(text):
            order = _permutation(run.groups())
            if order:
                return order
    capitals = _CAPITAL.findall(text)
    windows = zip(capitals, capitals[1:], capitals[2:], capitals[3:], strict=False)
    return next((order for order in map(_permutation, windows) if order), None)


def find_order(text: str, parser: str) -> str | None:
    """The order that the parser finds in `text`, as "C, A, B, D", or None."""
    if parser == VERBATIM:
        for stop in _STOPS:
            text = text.partition(stop)[0]
    if parser != "lenient":
        return _author_order(text)
    markers = list(_MARKER.finditer(text))
    tail = _lenient_order(text[markers[-1].end() :]) if markers else None
    return tail or _lenient_order(text)


def pairwise_accuracy(order: str | None, gold: str) -> float:
    """The share of the six pairs of events that `order` has in gold's direction; 0 for None."""
    if order is None or sorted(order.split(", ")) != sorted(gold.split(", ")):
        return 0.0
    places = {letter: place for place, letter in enumerate(order.split(", "))}
    pairs = list(combinations(gold.split(", "), 2))
    return sum(places[before] < places[after] for before, after in pairs) / len(pairs)


_pairs_of = lru_cache(maxsize=1024)(pairwise_accuracy)
"""There are few orders: 256 that can be read, and 24 gold ones."""


def score_order(row: Row, text: str, parser: str) -> ItemScore:
    """1 where the order is the row's `answer`; `pairwise_accuracy` beside it."""
    order = find_order(text, parser)
    parts = {"pairwise_accuracy": _pairs_of(order, row["answer"])}
    right = 1.0 if order == row["answer"] else 0.0
    return ItemScore(row["id"], right, order is not None, order, parts)


SCORER = MeanScorer(
    name="accuracy",
    version="1",
    score=score_order,
    parsers=("strict", "lenient", VERBATIM),
    parts=("pairwise_accuracy",),
)
