"""Blends: how many rows of each kind a dataset has, by ratio or in equal parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from aidp.effect import Effect, IntArray, sampling
from aidp.errors import AidpError, did_you_mean
from aidp.operators import operator
from aidp.sampling import allot, largest_total, row_keys
from aidp.schema import require

if TYPE_CHECKING:
    import pyarrow as pa

OVER_RATIO, OVER_CLASS_SIZE = "over its ratio", "over its class size"


@operator(example='mix(data, column="source", ratios={"web": 0.7, "books": 0.3})')
def mix(
    table: pa.Table,
    *,
    column: str = "source",
    ratios: Mapping[str, float],
    total: int | None = None,
    repeat: bool = False,
    seed: int = 0,
) -> Effect:
    """Take rows of each kind in given ratios, exact to a row, in their order.

    Args:
        table: The rows.
        column: The column that names the kind of a row.
        ratios: The share of each kind, relative to the others; kinds not named leave.
        total: How many rows in all; None takes the most that the ratios allow.
        repeat: Whether a kind with too few rows may give some twice.
        seed: Chooses the rows of each kind.

    Raises:
        AidpError: A kind has no rows, a ratio is negative, or the ratios cannot be met with
            `total` rows; the sentence says what could be.
    """
    groups = _groups(table, column)
    sizes = {name: len(rows) for name, rows in groups.items()}
    counts = mix_counts(sizes, column, ratios, total, repeat)
    keys = row_keys(table.num_rows, seed)
    chosen = [_draw(groups[name], keys, n) for name, n in counts.items()]
    keep = np.sort(np.concatenate(chosen), kind="stable")
    return sampling(keep, table.num_rows, OVER_RATIO, notes={"rows_by_kind": counts})


def mix_counts(
    sizes: Mapping[str, int],
    column: str,
    ratios: Mapping[str, float],
    total: int | None,
    repeat: bool,
) -> dict[str, int]:
    """How many rows of each kind `mix` takes, where there are `sizes` of them.

    Raises:
        AidpError: A kind has no rows, a ratio is negative, or the ratios cannot be met.
    """
    names = list(ratios)
    for name in names:
        if name not in sizes:
            raise AidpError(f"no row is {name!r}; {did_you_mean(name, sizes)}", column=column)
    shares = [float(ratios[name]) for name in names]
    if min(shares, default=0.0) < 0 or sum(shares) <= 0:
        raise AidpError(f"ratios are {dict(ratios)}, expected numbers >= 0 and one above 0")
    available = [sizes[name] for name in names]
    most = largest_total(available, shares)
    counts = allot(most if total is None else total, shares)
    if not repeat and any(n > size for n, size in zip(counts, available, strict=True)):
        raise AidpError(
            f"{total:,} rows in the ratios {dict(ratios)} cannot be met from "
            f"{dict(zip(names, available, strict=True))}; at most {most:,} can, or use repeat=True",
            column=column,
        )
    return dict(zip(names, counts, strict=True))


@operator(example='balance_classes(data, column="label", mode="down", seed=0)')
def balance_classes(
    table: pa.Table,
    *,
    column: str = "label",
    mode: Literal["down", "up"] = "down",
    per_class: int | None = None,
    seed: int = 0,
) -> Effect:
    """Give every class the same number of rows, in their order.

    Args:
        table: The rows.
        column: The column that names the class; null is a class of its own.
        mode: `down` takes as many of each class as the smallest has; `up` repeats rows of
            the others until they have as many as the largest.
        per_class: The number of rows instead; with `down` no class may have fewer.
        seed: Chooses the rows.

    Raises:
        AidpError: The column is missing, or a class has fewer rows than `per_class`.
    """
    groups = _groups(table, column)
    sizes = {name: len(rows) for name, rows in groups.items()}
    each = class_size(sizes, column, mode, per_class)
    keys = row_keys(table.num_rows, seed)
    keep = np.sort(
        np.concatenate([_draw(rows, keys, each) for rows in groups.values()]), kind="stable"
    )
    notes = {"rows_per_class": each, "classes": len(groups)}
    return sampling(keep, table.num_rows, OVER_CLASS_SIZE, notes=notes)


def class_size(
    sizes: Mapping[str, int], column: str, mode: Literal["down", "up"], per_class: int | None
) -> int:
    """How many rows of each class `balance_classes` takes, where there are `sizes` of them.

    Raises:
        AidpError: A class has fewer rows than `per_class`.
    """
    each = per_class or (min(sizes.values()) if mode == "down" else max(sizes.values()))
    short = [name for name, n in sizes.items() if n < each]
    if mode == "down" and short:
        raise AidpError(
            f"class {short[0]!r} has {sizes[short[0]]:,} rows, expected {each:,}; "
            "lower per_class or use mode='up'",
            column=column,
        )
    return each


def kinds_of(table: pa.Table, column: str) -> tuple[npt.NDArray[np.int32], list[str]]:
    """The kind of each row as a number, and what the kinds are called, in order of appearance.

    Raises:
        AidpError: The column is missing or holds lists or structures.
    """
    import pyarrow as pa

    values = require(table, column)
    if pa.types.is_nested(values.type):
        raise AidpError(f"holds {values.type}, expected text or numbers", column=column)
    named = values.cast(pa.large_string()).fill_null("null")
    encoded = named.combine_chunks().dictionary_encode()
    return np.asarray(encoded.indices.to_numpy()), encoded.dictionary.to_pylist()


def _groups(table: pa.Table, column: str) -> dict[str, IntArray]:
    """The rows of each value of `column`, values as text in order of appearance."""
    codes, names = kinds_of(table, column)
    order = np.argsort(codes, kind="stable")
    edges = np.searchsorted(codes[order], np.arange(len(names) + 1))
    return {name: order[edges[i] : edges[i + 1]] for i, name in enumerate(names)}


def _draw(rows: IntArray, keys: npt.NDArray[np.uint64], n: int) -> IntArray:
    """`n` of `rows` by lowest key; all of them several times over where `n` is more."""
    ranked = rows[np.argsort(keys[rows], kind="stable")]
    whole, rest = divmod(n, len(ranked))
    return np.concatenate([*[ranked] * whole, ranked[:rest]])
