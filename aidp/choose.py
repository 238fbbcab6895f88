"""Choosing: the best rows by a score, or random ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from aidp.effect import Effect, IntArray, sampling
from aidp.errors import AidpError
from aidp.operators import operator
from aidp.sampling import lowest, row_keys
from aidp.schema import numbers

if TYPE_CHECKING:
    import pyarrow as pa

NOT_DRAWN = "not drawn"


@operator(example='select_by_score(data, column="quality", k=5000)')
def select_by_score(
    table: pa.Table,
    *,
    column: str = "score",
    k: int | None = None,
    fraction: float | None = None,
    threshold: float | None = None,
    highest: bool = True,
    order: Literal["score", "row"] = "score",
    nan: Literal["error", "drop"] = "error",
) -> Effect:
    """Keep the rows with the best scores: `k` of them, a `fraction`, or all beyond `threshold`.

    The same rows in the same order as a stable sort would give; of equal scores the earlier
    row is the better one.

    Args:
        table: The rows.
        column: The column of numbers.
        k: How many rows; all where there are fewer.
        fraction: Which share of the rows, 0 to 1, rounded down.
        threshold: The worst score that stays.
        highest: Whether high scores are good.
        order: Best first, or in the order of the rows.
        nan: What a null or NaN score is: an error, or a row that leaves.

    Raises:
        AidpError: Not exactly one of `k`, `fraction` and `threshold` is given, one is out of
            range, or a score is NaN.
    """
    check_aim(k, fraction, threshold)
    badness = badness_of(table, column, highest, nan)
    missing = int(np.count_nonzero(np.isnan(badness)))
    within = 0 if threshold is None else best_within(badness, threshold, highest)
    wanted = rows_wanted(len(badness), within, k, fraction, threshold)
    best = _lowest_floats(badness, min(wanted, len(badness) - missing))
    if order == "score":
        best = best[np.argsort(badness[best], kind="stable")]
    return sampling(best, len(badness), score_reason(highest))


@operator(example="select_by_random(data, n=1000, seed=0)")
def select_by_random(
    table: pa.Table, *, n: int | None = None, fraction: float | None = None, seed: int = 0
) -> Effect:
    """Keep `n` random rows, or a `fraction` of them, in their order.

    Samples nest: with one seed, the 1,000 rows chosen are among the 2,000 chosen.

    Args:
        table: The rows.
        n: How many; all where there are fewer.
        fraction: Which share, 0 to 1, rounded down.
        seed: Chooses them.

    Raises:
        AidpError: Not exactly one of `n` and `fraction` is given, or it is out of range.
    """
    rows = table.num_rows
    wanted = rows_drawn(rows, n, fraction)
    return sampling(lowest(row_keys(rows, seed), wanted), rows, NOT_DRAWN)


def rows_drawn(rows: int, n: int | None, fraction: float | None) -> int:
    """How many of `rows` rows `select_by_random` keeps.

    Raises:
        AidpError: Not exactly one of `n` and `fraction` is given, or it is out of range.
    """
    if (n is None) == (fraction is None):
        raise AidpError(f"n is {n} and fraction is {fraction}, expected exactly one of them")
    wanted = _share(fraction, rows) if fraction is not None else n
    if wanted is None or wanted < 0:
        raise AidpError(f"n is {n}, expected at least 0")
    return wanted


def badness_of(
    table: pa.Table, column: str, highest: bool, nan: Literal["error", "drop"]
) -> npt.NDArray[np.float64]:
    """The scores so that the lowest is the best, NaN where there is none, shape (rows,).

    Raises:
        AidpError: The column is missing or holds no numbers, or a score is NaN and may not be.
    """
    scores = numbers(table, column)
    missing = np.isnan(scores)
    if nan == "error" and missing.any():
        raise AidpError(
            "the score is null or NaN, expected a number; use nan='drop' to remove such rows",
            column=column,
            row=int(np.flatnonzero(missing)[0]),
        )
    return -scores if highest else scores


def best_within(badness: npt.NDArray[np.float64], threshold: float, highest: bool) -> int:
    """How many scores are at least as good as `threshold`."""
    return int((badness <= (-threshold if highest else threshold)).sum())


def score_reason(highest: bool) -> str:
    """Why rows leave `select_by_score`."""
    return "score too low" if highest else "score too high"


def check_aim(k: int | None, fraction: float | None, threshold: float | None) -> None:
    """Refuse anything but one of the three.

    Raises:
        AidpError: None or several are given, or one is out of range.
    """
    given = {"k": k, "fraction": fraction, "threshold": threshold}
    if sum(value is not None for value in given.values()) != 1:
        raise AidpError(f"got {given}, expected exactly one of k, fraction and threshold")
    if k is not None and k < 0:
        raise AidpError(f"k is {k}, expected at least 0")
    if fraction is not None:
        _share(fraction, 0)


def rows_wanted(
    rows: int, within: int, k: int | None, fraction: float | None, threshold: float | None
) -> int:
    """How many of `rows` rows `select_by_score` keeps; `within` are as good as the threshold."""
    if threshold is not None:
        return within
    return _share(fraction, rows) if fraction is not None else k or 0


def _share(fraction: float, rows: int) -> int:
    if not 0 <= fraction <= 1:
        raise AidpError(f"fraction is {fraction}, expected 0 to 1")
    return int(fraction * rows)


def _lowest_floats(values: npt.NDArray[np.float64], n: int) -> IntArray:
    """The positions of the `n` lowest values, ascending; ties go to the earlier."""
    if n >= len(values):
        return np.arange(len(values))
    if n <= 0:
        return np.zeros(0, np.int64)
    edge = np.partition(values, n - 1)[n - 1]
    below = np.flatnonzero(values < edge)
    at_edge = np.flatnonzero(values == edge)[: n - len(below)]
    return np.sort(np.concatenate([below, at_edge]))
