"""Numerals: the LawBench sub-tasks whose answers are numbers (3-1, 3-4, 3-5, 3-7).

Chinese numerals become digits through `cn2an`, whose version upstream's published scores depend on.
"""

from __future__ import annotations

import math
import re
import warnings

from ft_bench_scorers.lawbench.outcome import Outcome, set_f1
from ft_bench_scorers.lawbench.packages import package

__all__ = ["amount", "article_numbers", "articles", "months_of", "prison_term"]

_CLAUSE = re.compile(r"第(.*?)款")
_ARTICLE = re.compile(r"第(.*?)条")
_DIGITS = re.compile(r"\d+")
_MONTHS = (re.compile(r"(\d+)个月"), re.compile(r"(\d+)月"))
_YEARS = re.compile(r"(\d+)年")
_NUMBER = re.compile(r"\d+\.?\d*")
_LONGEST = math.log(216)
_LONG_RUN = re.compile(
    r"(\d{120})\d+|([零一二三四五六七八九十百千万亿]{120})[零一二三四五六七八九十百千万亿]+"
)
_LONG = 120
_NUMERAL = re.compile("[零〇一壹幺二贰三叁四肆五伍六陆七柒八捌九玖十拾百佰千仟万萬亿億点负]")
"""What cn2an looks for: a text without any of it stays as it is."""

_MAX_DIGITS = 300


def _digits(text: str) -> str:
    """`text` with Chinese numerals as digits.

    Runs of over 120 digits or numerals are cut first: cn2an's expressions take cubic time on them.
    The three words that it replaces before anything else are replaced here, for the same reason.
    """
    text = text.replace("廿", "二十").replace("半", "0.5").replace("两", "2")
    if not _NUMERAL.search(text):
        return text
    if len(text) > _LONG:
        text = _LONG_RUN.sub(r"\1\2", text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return str(package("cn2an").transform(text, "cn2an"))


def _number(text: str) -> int:
    return int(text[:_MAX_DIGITS])


def article_numbers(text: str) -> set[int]:
    """The numbers of the articles of law that a list parted by "、" names."""
    found = set()
    for chunk in text.split("、"):
        plain = chunk.replace("万元", "元")
        plain = _CLAUSE.sub("", plain)
        plain = _ARTICLE.sub(r"\1", plain)
        number = _DIGITS.search(_digits(plain))
        if number:
            found.add(_number(number.group()))
    return found


def articles(text: str, gold: str) -> Outcome:
    """3-1: F1 of the sets of article numbers; abstains where there is no number."""
    bare = gold.replace("法条:刑法第", "").replace("条", "")
    wanted = {int(number) for number in re.findall(r"\d+", bare)}
    found = article_numbers(text)
    return set_f1(found, wanted), not found, sorted(found)


def months_of(text: str) -> int | None:
    """The first number of months in `text`, else twelve times the first number of years."""
    plain = _digits(text)
    for pattern in _MONTHS:
        found = pattern.search(plain)
        if found:
            return _number(found.group(1))
    years = _YEARS.search(plain)
    return _number(years.group(1)) * 12 if years else None


def prison_term(text: str, gold: str) -> Outcome:
    """3-4 and 3-5: 1 - |ln(gold + 1) - ln(found + 1)| / ln 216; may be negative.

    Gold sentences of death or for life are left out.
    """
    if "死刑" in gold or "无期" in gold:
        return None, False, None
    wanted = int(gold.replace("刑期:", "").replace("个月", ""))
    found = months_of(text)
    if found is None:
        return 0.0, True, None
    distance = abs(math.log(wanted + 1) - math.log(found + 1))
    return (_LONGEST - distance) / _LONGEST, False, found


def amount(text: str, gold: str) -> Outcome:
    """3-7: 1 where the gold amount is one of the numbers in `text`."""
    wanted = float(gold.replace("上文涉及到的犯罪金额:", "").replace("元。", ""))
    found = [float(number[:_MAX_DIGITS]) for number in _NUMBER.findall(text)]
    return float(wanted in found), not found, found[:20]
