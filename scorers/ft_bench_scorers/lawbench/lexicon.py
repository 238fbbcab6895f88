"""Lexicon: how costly it is to read one Chinese character as another.

Meaning comes from the classes of a thesaurus, form from pronunciation and from sets of characters
that are easily confused. The two tables are upstream files that cannot be shipped with the scorer:
the task's preparation packs what one sentence can need into its row, and `Lexicon` reads it back.
Without it, meaning and confusion count as unlike.
"""

from __future__ import annotations

import base64
import json
import string
import zlib
from functools import cache, lru_cache

from ft_bench_scorers.lawbench.packages import package

__all__ = ["PUNCTUATION", "Lexicon"]

PUNCTUATION = string.punctuation + (
    "！？｡＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､、〃》「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—‘'‛“”„‟…‧﹏"
)

_ALIKE, _UNLIKE = 0.0, 0.5


@lru_cache(maxsize=8)
def _unpacked(packed: str) -> dict[str, str]:
    if not packed:
        return {}
    loaded: dict[str, str] = json.loads(zlib.decompress(base64.b85decode(packed)))
    return loaded


@lru_cache(maxsize=8)
def _classes(packed: str) -> dict[str, str]:
    return {one: code for code, members in _unpacked(packed).items() for one in members}


@cache
def _readings(character: str) -> frozenset[str]:
    pypinyin = package("pypinyin")
    found = pypinyin.pinyin(character, style=pypinyin.Style.NORMAL, heteronym=True)
    return frozenset(found[0])


def _is_han(character: str) -> bool:
    return "\u4e00" <= character <= "\u9fff"


class Lexicon:
    """The tables for one source sentence.

    Args:
        classes: the packed classes of the thesaurus, "" for none.
        confusions: the packed confusions of the sentence, "" for none.
    """

    def __init__(self, classes: str = "", confusions: str = "") -> None:
        self._classes = _classes(classes)
        self._near = _unpacked(confusions)
        self._costs: dict[tuple[str, str], float] = {}

    def cost(self, source: str, target: str) -> float:
        """The cost of reading the character `source` as the other character `target`."""
        pair = (source, target)
        known = self._costs.get(pair)
        if known is None:
            known = self._meaning(source, target) / 6.0 + self._form(source, target) + _kind(*pair)
            self._costs[pair] = known
        return known

    def _meaning(self, source: str, target: str) -> int:
        one, two = self._classes.get(source), self._classes.get(target)
        if one is None or two is None:
            return 4
        equal = (one[0] == two[0]) + (one[1] == two[1]) + (one[2:] == two[2:])
        return 2 * (3 - equal)

    def _form(self, source: str, target: str) -> float:
        if not (_is_han(source) and _is_han(target)):
            return _UNLIKE
        if target in self._near.get(source, "") or _readings(source) & _readings(target):
            return _ALIKE
        return _UNLIKE


def _kind(source: str, target: str) -> float:
    marks = (source in PUNCTUATION) + (target in PUNCTUATION)
    return (0.25, 0.499, 0.0)[marks]
