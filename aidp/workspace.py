"""Workspace: a folder that keeps the rows of finished recipe steps by what made them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from aidp.effect import Effect, Gone
from aidp.outcome import Account
from aidp.tables import read_table, write_selection, write_table

if TYPE_CHECKING:
    from aidp.effect import IntArray


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder with three files for each finished step: rows, rejects, account.

    The account is written last, so that a step without one never happened. A step whose
    account exists is not run again.

    Attributes:
        folder: Where the files are; made when first written to.
    """

    folder: Path

    def find(self, key: str) -> tuple[pa.Table, Gone | None, Account] | None:
        """The rows, the rows that left and the account kept under `key`, if there are any."""
        path = self._path(key, "json")
        if not path.exists():
            return None
        stored = json.loads(path.read_text(encoding="utf-8"))
        account = replace(Account(**stored["account"]), resumed=True)
        gone = self._read_gone(key, tuple(stored["reject_reasons"]))
        return read_table(self._path(key, "arrow")), gone, account

    def write_rows(self, key: str, table: pa.Table, effect: Effect) -> pa.Table:
        """Write the rows after `effect` and give them back mapped from the file.

        Ascending selections are written a batch at a time, so that they are never in memory.
        """
        path = self._path(key, "arrow")
        keep = effect.keep
        if effect.table is None and keep is not None and _ascending(keep):
            write_selection(table, keep, path)
        else:
            source = table if effect.table is None else effect.table
            write_table(source.take(pa.array(keep)) if _selects(effect) else source, path)
        return read_table(path)

    def finish(self, key: str, gone: Gone | None, account: Account) -> None:
        """Record that the step is complete."""
        rows = np.zeros(0, np.int64)
        left = pa.table(
            {
                "row": rows if gone is None else gone.rows,
                "code": rows if gone is None else gone.codes,
                "twin": rows if gone is None else gone.twins,
            }
        )
        write_table(left, self._path(key, "rejects.arrow"))
        stored = {
            "account": account.as_dict(),
            "reject_reasons": [] if gone is None else list(gone.reasons),
        }
        path = self._path(key, "json")
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        partial.write_text(json.dumps(stored, ensure_ascii=False, indent=1), encoding="utf-8")
        os.replace(partial, path)

    def _read_gone(self, key: str, reasons: tuple[str, ...]) -> Gone | None:
        left = read_table(self._path(key, "rejects.arrow"))
        if left.num_rows == 0:
            return None
        rows, codes, twins = (left.column(name).to_numpy() for name in ("row", "code", "twin"))
        return Gone(rows, reasons, codes, twins)

    def _path(self, key: str, suffix: str) -> Path:
        return self.folder / f"{key}.{suffix}"


def _selects(effect: Effect) -> bool:
    return effect.table is None and effect.keep is not None


def _ascending(order: IntArray) -> bool:
    return len(order) < 2 or bool((np.diff(order) > 0).all())
