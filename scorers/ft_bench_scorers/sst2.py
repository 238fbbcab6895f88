"""SST-2: sentiment of a sentence, accuracy over positive and negative.

No official parser exists for generated text. `strict` takes the last whole word "positive" or
"negative" in any case, else the last digit 0 or 1 that stands alone; anything else is wrong. Three
public parsers are there for comparison: `promptbench_cls` and `promptbench_general` (PromptBench)
and `contains_choice` (Me-LLaMA's classification tasks).
"""

from __future__ import annotations

import re

from ft_bench.protocols import ItemScore, Row
from ft_bench_scorers.means import MeanScorer
from ft_bench_scorers.reasoning import VERBATIM

__all__ = ["NAMES", "PARSERS", "SCORER", "find_sentiment", "score_sentiment"]

NAMES = ("negative", "positive")
"""The two answers; the position is the label of the data set."""

PARSERS = ("strict", VERBATIM, "promptbench_cls", "promptbench_general", "contains_choice")

_IN_WORDS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
_DIGIT = re.compile(r"(?<![\w.])[01](?!\.?\w)")
_EDGE = ",._\"'-+=!?()&^%$#@:\\|{}[]<>/` \t\n\r\x0b\x0c"
_ALIASES = {"negative": "negative", "0": "negative", "positive": "positive", "1": "positive"}


def _last_name(text: str, name: str) -> int:
    """Where `name`, of eight letters, stands last as a whole word in a lower-case text, else -1."""
    at = text.rfind(name)
    while at >= 0:
        if text[at - 1 : at] not in _IN_WORDS and text[at + 8 : at + 9] not in _IN_WORDS:
            return at
        at = text.rfind(name, 0, at + 7)
    return -1


def _last_word(text: str) -> str | None:
    low = text.lower()
    negative, positive = _last_name(low, "negative"), _last_name(low, "positive")
    if negative != positive:
        return NAMES[positive > negative]
    if "0" not in text and "1" not in text:
        return None
    digits = _DIGIT.findall(text)
    return NAMES[int(digits[-1])] if digits else None


def _promptbench(text: str, last_piece: bool) -> str | None:
    bare = text.lower().replace("<pad>", "").replace("</s>", "").strip(_EDGE)
    return _ALIASES.get(bare.rpartition(" ")[2] if last_piece else bare)


def _contains_choice(text: str) -> str | None:
    lowered = text.strip().lower()
    return next((name for name in NAMES if name in lowered), None)


def find_sentiment(text: str, parser: str) -> str | None:
    """The sentiment that the parser finds in `text`, or None."""
    if parser in ("strict", VERBATIM):
        return _last_word(text)
    if parser == "contains_choice":
        return _contains_choice(text)
    return _promptbench(text, last_piece=parser == "promptbench_cls")


def score_sentiment(row: Row, text: str, parser: str) -> ItemScore:
    """1 where the sentiment found is the row's `answer`."""
    found = find_sentiment(text, parser)
    return ItemScore(row["id"], 1.0 if found == row["answer"] else 0.0, found is not None, found)


SCORER = MeanScorer(name="accuracy", version="1", score=score_sentiment, parsers=PARSERS)
