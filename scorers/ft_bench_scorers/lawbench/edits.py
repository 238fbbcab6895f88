"""Edits: from groups of operations to the edits that are counted, as ChERRANT merges them."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ft_bench_scorers.lawbench.alignment import Group, groupings, table_of
from ft_bench_scorers.lawbench.lexicon import PUNCTUATION, Lexicon

__all__ = ["Edit", "TooManyWays", "edits_of"]

_NO_ERROR = "没有错误"
_MERGER_PUNCTUATION = (
    string.punctuation
    + "".join(c for c in PUNCTUATION[len(string.punctuation) :] if c not in "〰〾〿﹏")
    + "."
)


class Edit(NamedTuple):
    """Source characters from `start` to `end` become `correction`, "-NONE-" for nothing."""

    start: int
    end: int
    correction: str


class TooManyWays(Exception):
    """There are more cheapest alignments than are looked at."""


class _Texts(NamedTuple):
    source: str
    target: str

    def of(self, group: Group) -> tuple[str, str]:
        return self.source[group.i0 : group.i1], self.target[group.j0 : group.j1]


def _within_one(first: str, second: str) -> bool:
    """Whether the Levenshtein distance of two texts is at most 1."""
    if len(first) > len(second):
        first, second = second, first
    if len(second) - len(first) > 1:
        return False
    for at, (one, two) in enumerate(zip(first, second, strict=False)):
        if one != two:
            rest = first[at:] if len(first) < len(second) else first[at + 1 :]
            return rest == second[at + 1 :]
    return True


def _swapped(one: tuple[str, str], two: tuple[str, str]) -> bool:
    (w1, w2), (w3, w4) = one, two
    if min(map(len, (w1, w2, w3, w4))) == 1:
        return w1 == w4 and w2 == w3
    return _within_one(w1, w4) and _within_one(w2, w3)


def _moved(deleted: str, inserted: str) -> bool:
    longer, shorter = (deleted, inserted) if len(deleted) >= len(inserted) else (inserted, deleted)
    if longer in _MERGER_PUNCTUATION or shorter in _MERGER_PUNCTUATION:
        return False
    if len(longer) - len(shorter) > 1:
        return False
    if len(shorter) == 1:
        return longer == shorter
    return _within_one(longer, shorter) or (
        len(longer) == len(shorter) and shorter in longer + longer
    )


def _joins(window: Sequence[Group], texts: _Texts) -> bool:
    """Whether three neighbouring groups are one change of places."""
    first, middle, last = window
    kinds = first.kind + middle.kind + last.kind
    if kinds == "SMS":
        return _swapped(texts.of(first), texts.of(last))
    if kinds in ("DMI", "DTI"):
        return _moved(texts.of(first)[0], texts.of(last)[1])
    if kinds in ("IMD", "ITD"):
        return _moved(texts.of(last)[0], texts.of(first)[1])
    return False


def _merged(groups: Sequence[Group], texts: _Texts) -> list[Group]:
    merged = []
    at = 0
    while at < len(groups):
        window = groups[at : at + 3]
        if len(window) == 3 and _joins(window, texts):
            first, _, last = window
            merged.append(Group("T", first.i0, last.i1, first.j0, last.j1))
            at += 3
            continue
        if groups[at].kind != "M":
            merged.append(groups[at])
        at += 1
    return merged


def _common_prefix(first: str, second: str) -> int:
    return next(
        (at for at, (one, two) in enumerate(zip(first, second, strict=False)) if one != two),
        min(len(first), len(second)),
    )


def _trimmed(group: Group, texts: _Texts) -> Group:
    before, after = texts.of(group)
    head = _common_prefix(before, after)
    tail = _common_prefix(before[head:][::-1], after[head:][::-1])
    return Group("S", group.i0 + head, group.i1 - tail, group.j0 + head, group.j1 - tail)


def _finished(groups: Iterable[Group], texts: _Texts) -> tuple[Edit, ...]:
    edits = []
    for group in groups:
        before, after = texts.of(group)
        if before == after:
            continue
        kept = _trimmed(group, texts) if group.kind == "S" else group
        edits.append(Edit(kept.i0, kept.i1, texts.of(kept)[1] or "-NONE-"))
    return tuple(edits)


def edits_of(source: str, target: str, lexicon: Lexicon) -> Counter[Edit]:
    """The edits that turn `source` into `target`, each as often as distinct ways have it.

    Raises:
        TooManyWays: where the alignments are more than are looked at.
    """
    if target in (source, _NO_ERROR):
        return Counter()
    found = groupings(table_of(source, target, lexicon), len(source), len(target))
    if found is None:
        raise TooManyWays(len(source), len(target))
    texts = _Texts(source, target)
    lists = {_finished(_merged(groups, texts), texts) for groups in found}
    return Counter(edit for edits in lists for edit in edits)
