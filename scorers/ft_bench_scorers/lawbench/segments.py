"""Segments: ROUGE-L over jieba's words, as `rouge_chinese` computes it."""

from __future__ import annotations

import logging
import re
from functools import cache
from typing import Any

from ft_bench_scorers.lawbench.outcome import f_measure
from ft_bench_scorers.lawbench.packages import package
from ft_bench_scorers.rouge import lcs_length

__all__ = ["rouge_l", "words"]

_NOTHING = "无内容"
_BREAKS = (
    re.compile(r"([。！？?])(?=[^”’])"),
    re.compile(r"(\.{6})(?=[^”’])"),
    re.compile(r"(……)(?=[^”’])"),
    re.compile(r"([。！？?][”’])(?=[^，。！？?])"),
)


@cache
def _jieba() -> Any:
    jieba = package("jieba")
    jieba.setLogLevel(logging.WARNING)
    jieba.initialize()
    return jieba


def words(text: str) -> list[str]:
    """The words of `text`: jieba's cut, broken into sentences, split at blanks.

    A line that holds only white space counts as one empty word, as upstream has it; a blank text
    becomes one fixed word.
    """
    joined = " ".join(_jieba().cut(text))
    if not joined.strip():
        return [_NOTHING]
    for pattern in _BREAKS:
        joined = pattern.sub(r"\1\n", joined)
    lines = (line for line in joined.rstrip().split("\n") if line)
    return [word for line in lines for word in " ".join(line.split()).split(" ")]


def rouge_l(prediction: str, reference: str) -> float:
    """ROUGE-L F of two texts, each at least one word."""
    hypothesis, wanted = words(prediction), words(reference)
    shared = lcs_length(hypothesis, wanted)
    return f_measure(shared / len(hypothesis), shared / len(wanted), 1e-8)
