"""Targets: the answer that a model should write, from LawBench's stored answers.

Some stored answers have a prefix or a form that upstream's own parser reads worse than the form
which the instruction asks for; these are rewritten.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["target_of"]


def _bracketed(name: str, text: str) -> str:
    return f"[{name}]{text}<eoa>"


_TARGETS: dict[str, Callable[[str], str]] = {
    "1-1": lambda gold: gold.replace("答案:", ""),
    "1-2": lambda gold: _bracketed("正确答案", gold[5]),
    "2-2": lambda gold: _bracketed("争议焦点", gold[7:-1]),
    "2-5": lambda gold: gold.replace("回答:", ""),
    "2-6": lambda gold: gold.replace(";", "\n"),
    "3-1": lambda gold: _bracketed("法条", gold.replace("法条:", "")),
    "3-3": lambda gold: _bracketed("罪名", gold.replace("罪名:", "")),
    "3-4": lambda gold: _bracketed("刑期", gold.replace("刑期:", "")),
    "3-5": lambda gold: _bracketed("刑期", gold.replace("刑期:", "")),
    "3-6": lambda gold: _bracketed("正确答案", gold[5]),
    "3-7": lambda gold: _bracketed(
        "金额", gold.replace("上文涉及到的犯罪金额:", "").replace("。", "")
    ),
}


def target_of(subtask: str, gold: str) -> str:
    """The answer to train on for the stored answer `gold`."""
    return _TARGETS.get(subtask, str)(gold)
