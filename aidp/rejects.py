"""Rejects: the rows that left, each with its reason and the kept row that stands for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from aidp.tables import take_rows

if TYPE_CHECKING:
    from aidp.effect import Gone

REJECT_COLUMNS = ("_step", "_operator", "_reason", "_row", "_kept_row")


def rejected_rows(before: pa.Table, gone: Gone | None, operator: str, step: int) -> pa.Table:
    """The rows of `before` that left, with five columns about their leaving.

    `_step` is the position in the recipe, `_row` the row's position in the operator's input
    and `_kept_row` that of the row kept in its place, null where there is none.
    """
    rows = np.zeros(0, np.int64) if gone is None else gone.rows
    left = take_rows(before, rows).replace_schema_metadata(None)
    names = np.array([""] if gone is None else list(gone.reasons), object)
    reasons = names[gone.codes] if gone is not None else names[:0]
    twins = np.zeros(0, np.int64) if gone is None else gone.twins
    about = [
        pa.array(np.full(len(rows), step, np.int64)),
        pa.array([operator] * len(rows), pa.string()),
        pa.array(reasons, pa.string()),
        pa.array(rows),
        pa.array(twins, mask=twins < 0),
    ]
    for name, values in zip(REJECT_COLUMNS, about, strict=True):
        left = left.append_column(name, values)
    return left
