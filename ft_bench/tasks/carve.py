"""Carve: splits that upstream does not publish, made by a stable hash of what an item is.

The same item goes to the same place on every machine and in every order of the files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

__all__ = ["carve", "in_stable_order"]

_Item = TypeVar("_Item")


def in_stable_order(items: Iterable[_Item], key: Callable[[_Item], str]) -> list[_Item]:
    """The items by the SHA-256 of their keys."""
    return sorted(items, key=lambda item: hashlib.sha256(key(item).encode("utf-8")).hexdigest())


def carve(
    rows: Sequence[Mapping[str, Any]],
    quotas: Mapping[str, int],
    *,
    stratum: Callable[[Mapping[str, Any]], Hashable],
    key: Callable[[Mapping[str, Any]], str],
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
    groups: dict[str, list[int]] = {}
    for at, row in enumerate(rows):
        groups.setdefault(key(row), []).append(at)
    taken: dict[tuple[str, Hashable], int] = {}
    place = {}
    for name in in_stable_order(groups, str):
        needs: dict[Hashable, int] = {}
        for at in groups[name]:
            needs[stratum(rows[at])] = needs.get(stratum(rows[at]), 0) + 1
        split = next(
            (
                split
                for split, quota in quotas.items()
                if all(taken.get((split, part), 0) + need <= quota for part, need in needs.items())
            ),
            "rest",
        )
        for part, need in needs.items():
            taken[split, part] = taken.get((split, part), 0) + need
        place.update(dict.fromkeys(groups[name], split))
    given: dict[str, list[dict[str, Any]]] = {split: [] for split in (*quotas, "rest")}
    for at, row in enumerate(rows):
        given[place[at]].append(dict(row))
    return given
