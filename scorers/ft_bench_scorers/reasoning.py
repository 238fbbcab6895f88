"""Reasoning: the one layer that takes `<think>` blocks off an output before any parser sees it."""

from __future__ import annotations

import re

__all__ = ["VERBATIM", "answer_text", "strip_reasoning"]

VERBATIM = "verbatim"
"""The parser name under which an output reaches upstream's parser with nothing stripped."""

_TAG = re.compile(r"<(/?)think>", re.IGNORECASE | re.ASCII)


def strip_reasoning(output: str) -> str:
    """What is left of `output` as the answer.

    Closed blocks go. A closing tag that nothing opened (a chat template may open the block in the
    prompt) takes everything before it along. An unclosed block takes the rest of the text, so a
    model that was cut while thinking has answered nothing. A text without tags is returned as it
    is; else the white space in front of the answer goes too. Linear in the length of `output`.
    """
    if "<" not in output:
        return output
    kept: list[str] = []
    start, inside, seen = 0, False, False
    for tag in _TAG.finditer(output):
        seen = True
        if not tag.group(1):
            if not inside:
                kept.append(output[start : tag.start()])
            inside = True
            continue
        if not inside:
            kept.clear()
        inside, start = False, tag.end()
    if not seen:
        return output
    if not inside:
        kept.append(output[start:])
    return "".join(kept).lstrip()


def answer_text(output: str, parser: str) -> str:
    """The text that the parser called `parser` reads: stripped, unless it is `verbatim`."""
    return output if "<" not in output or parser == VERBATIM else strip_reasoning(output)
