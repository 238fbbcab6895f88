"""Lexicon: LawBench's two word lists, packed into the rows whose scoring needs them.

The proofreading measure asks how alike two characters are in meaning and in form. The lists that
say so are upstream files; with them in the rows, scoring needs no file.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping

__all__ = ["pack", "pack_classes", "parse_cilin", "parse_confusions"]


def parse_cilin(raw: bytes) -> dict[str, str]:
    """The class, four letters and digits, of each single character of the thesaurus (GBK)."""
    classes = {}
    for line in raw.decode("gbk", "ignore").splitlines():
        code, *words = line.split()
        for word in words:
            if len(word) == 1:
                classes[word] = code[:4]
    return classes


def parse_confusions(text: str) -> dict[str, set[str]]:
    """For each character, those in its own set and those whose sets hold it.

    A line of the file is a character and then those it is confused with.
    """
    near: dict[str, set[str]] = {}
    for line in text.splitlines():
        head, *others = line.split()
        near.setdefault(head, set()).update(others)
        for other in others:
            near.setdefault(other, set()).add(head)
    return near


def _packed(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return base64.b85encode(zlib.compress(text.encode("utf-8"), 9)).decode("ascii")


def pack_classes(classes: Mapping[str, str]) -> str:
    """The classes as one text of ASCII characters."""
    members: dict[str, str] = {}
    for character, code in sorted(classes.items()):
        members[code] = members.get(code, "") + character
    return _packed(members)


def pack(source: str, confusions: Mapping[str, set[str]]) -> str:
    """What `parse_confusions` has of the characters of `source`, as one ASCII text."""
    return _packed({one: "".join(sorted(confusions.get(one, ()))) for one in set(source)})
