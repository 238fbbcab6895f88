"""Carve: splits that upstream does not publish, made by a stable hash of what an item is.

The same item goes to the same place on every machine and in every order of the files.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

__all__ = ["carve", "in_stable_order"]

_Item = TypeVar("_Item")
_Row = Mapping[str, Any]


def in_stable_order(items: Iterable[_Item], key: Callable[[_Item], str]) -> list[_Item]:
    """The items by the SHA-256 of their keys."""
    return sorted(items, key=lambda item: hashlib.sha256(key(item).encode("utf-8")).hexdigest())


def carve(
    rows: Sequence[_Row],
    quotas: Mapping[str, int],
    *,
    stratum: Callable[[_Row], Hashable],
    key: Callable[[_Row], str],
) -> dict[str, list[dict[str, Any]]]:
    """Give rows to the splits of `quotas`, each filled per stratum before the next.

    Rows with one key stay together, over strata too, so that no case is in two splits.

    Args:
        rows: the rows to give away.
        quotas: how many rows of each stratum a split gets at most, in the order of filling.
        stratum: the part of the task that a row belongs to.
        key: what makes two rows the same case.

    Returns:
        The rows of each split, and under "rest" those that no quota took; in the order of `rows`.
    """
    place = _places(rows, quotas, stratum, key)
    given: dict[str, list[dict[str, Any]]] = {split: [] for split in (*quotas, "rest")}
    for at, row in enumerate(rows):
        given[place[at]].append(dict(row))
    return given


def _places(
    rows: Sequence[_Row],
    quotas: Mapping[str, int],
    stratum: Callable[[_Row], Hashable],
    key: Callable[[_Row], str],
) -> dict[int, str]:
    """The split of each row, by its position."""
    groups: dict[str, list[int]] = {}
    for at, row in enumerate(rows):
        groups.setdefault(key(row), []).append(at)
    taken: Counter[tuple[str, Hashable]] = Counter()
    place: dict[int, str] = {}
    for name in in_stable_order(groups, str):
        needs = Counter(stratum(rows[at]) for at in groups[name])
        fitting = (
            split
            for split, quota in quotas.items()
            if all(taken[split, part] + need <= quota for part, need in needs.items())
        )
        split = next(fitting, "rest")
        taken.update({(split, part): need for part, need in needs.items()})
        place.update(dict.fromkeys(groups[name], split))
    return place
