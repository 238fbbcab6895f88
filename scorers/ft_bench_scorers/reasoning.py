"""Reasoning: the one layer that takes `<think>` blocks off an output before any parser sees it."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["VERBATIM", "answer_texts", "strip_reasoning"]

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
    if not _TAG.search(output):
        return output
    kept: list[str] = []
    start, inside = 0, False
    for tag in _TAG.finditer(output):
        if not tag.group(1):
            if not inside:
                kept.append(output[start : tag.start()])
            inside = True
            continue
        if not inside:
            kept.clear()
        inside, start = False, tag.end()
    if not inside:
        kept.append(output[start:])
    return "".join(kept).lstrip()


def answer_texts(outputs: Sequence[str], parser: str) -> Sequence[str]:
    """The texts that the parser called `parser` reads: stripped, unless it is `verbatim`.

    Only texts that hold the end of a tag are searched for one: most hold none.
    """
    if parser == VERBATIM:
        return outputs
    return [
        text
        if "<" not in text or ("k>" not in text and "K>" not in text)
        else strip_reasoning(text)
        for text in outputs
    ]
