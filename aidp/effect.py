"""Effect: what an operator does to the rows of one table, before any row is copied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
NO_TWIN = -1


@dataclass(frozen=True, slots=True)
class Gone:
    """The rows that leave, why, and for the sake of which kept row.

    Attributes:
        rows: Positions in the input, ascending, shape (n,).
        reasons: The distinct reasons.
        codes: Index into `reasons` for each of `rows`, shape (n,).
        twins: Position of the kept row that stands for each, or -1, shape (n,).
    """

    rows: IntArray
    reasons: tuple[str, ...]
    codes: IntArray
    twins: IntArray

    def counts(self) -> dict[str, int]:
        """How many rows left for each reason."""
        totals = np.bincount(self.codes, minlength=len(self.reasons))
        return {reason: int(n) for reason, n in zip(self.reasons, totals, strict=True) if n}


@dataclass(frozen=True, slots=True)
class Effect:
    """Which rows stay, in which order, and what else changes.

    Attributes:
        keep: Positions of the input rows in the output, in output order; None keeps all.
        gone: The rows that leave; None when none does.
        table: The output itself, where the operator wrote new contents; then `keep` is unused.
        added: Rows of the output that no input row stands for one to one.
        failed: Rows that stay although their judgement or generation failed.
        notes: Whatever else the account should say, JSON-able.
    """

    keep: IntArray | None = None
    gone: Gone | None = None
    table: pa.Table | None = None
    added: int = 0
    failed: int = 0
    notes: Mapping[str, object] = field(default_factory=dict)


def gone_rows(rows: npt.ArrayLike, reason: str, *, twins: npt.ArrayLike | None = None) -> Gone:
    """Rows that leave for one reason; `twins` are the kept rows that stand for them.

    The codes, and the twins where there are none, take no memory.
    """
    positions = np.asarray(rows, np.int64)
    stand_ins = np.broadcast_to(np.int64(NO_TWIN), len(positions)) if twins is None else twins
    codes = np.broadcast_to(np.int64(0), len(positions))
    return Gone(positions, (reason,), codes, np.asarray(stand_ins, np.int64))


def keeping(
    mask: BoolArray,
    reason: str,
    *,
    twins: IntArray | None = None,
    notes: Mapping[str, object] | None = None,
) -> Effect:
    """The effect of one yes or no per row.

    Args:
        mask: True for the rows that stay, shape (rows,).
        reason: Why the others leave.
        twins: For every row the kept row that stands for it, shape (rows,).
        notes: For the account.
    """
    rows = np.flatnonzero(~mask)
    stand_ins = None if twins is None else twins[rows]
    gone = gone_rows(rows, reason, twins=stand_ins) if len(rows) else None
    return Effect(keep=np.flatnonzero(mask), gone=gone, notes=notes or {})


def keeping_by_reason(
    codes: npt.NDArray[np.integer],
    reasons: tuple[str, ...],
    *,
    twins: IntArray | None = None,
    notes: Mapping[str, object] | None = None,
) -> Effect:
    """The effect of one code per row: 0 stays, k leaves for `reasons[k - 1]`."""
    rows = np.flatnonzero(codes)
    stand_ins = np.full(len(rows), NO_TWIN, np.int64) if twins is None else twins[rows]
    gone = Gone(rows, reasons, codes[rows].astype(np.int64) - 1, stand_ins)
    return Effect(
        keep=np.flatnonzero(codes == 0), gone=gone if len(rows) else None, notes=notes or {}
    )


def sampling(
    keep: IntArray,
    rows: int,
    reason: str,
    *,
    notes: Mapping[str, object] | None = None,
) -> Effect:
    """The effect of choosing `keep`, in that order, out of `rows` rows; the rest leaves.

    A row that is chosen again counts as added.
    """
    chosen = np.zeros(rows, np.bool_)
    chosen[keep] = True
    left = np.flatnonzero(~chosen)
    return Effect(
        keep=keep,
        gone=gone_rows(left, reason) if len(left) else None,
        added=len(keep) - int(chosen.sum()),
        notes=notes or {},
    )
