"""Stage: one operator of a stream, its rows counted as they pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aidp.effect import Effect, gone_rows
from aidp.errors import AidpError
from aidp.operators import Operator, guard, plain
from aidp.spool import regrouped
from aidp.tables import apply_effect

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class Stage(ABC):
    """One operator of a stream, its options, and the account of what has passed.

    Attributes:
        operator: What is done.
        params: Its options, complete.
        max_removed: The largest share of rows that may leave.
        rows_in: Rows that came.
        rows_out: Rows that went on.
        added: Rows that no row that came stands for one to one.
        failed: Rows that went on although their judgement failed.
        reasons: How many rows left, by reason.
        notes: What else the operator has to say.
    """

    operator: Operator
    params: dict[str, Any]
    max_removed: float = 1.0
    rows_in: int = 0
    rows_out: int = 0
    added: int = 0
    failed: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)

    def run(self, tables: Iterable[pa.Table], folder: Path) -> Iterator[pa.Table]:
        """The rows after this operator, a batch at a time; `folder` is free for its files.

        Raises:
            AidpError: The operator refuses, with the row counted over all batches, or removes
                more than it may.
        """
        try:
            for table in self.after(regrouped(tables), folder):
                self.rows_out += table.num_rows
                if table.num_rows:
                    yield table
        except AidpError as error:
            raise error.within(self.operator.name) from error.__cause__
        removed = sum(self.reasons.values())
        if removed > self.max_removed * self.rows_in:
            gone = gone_rows(range(removed), " and ".join(self.reasons))
            guard(self.operator.name, Effect(gone=gone), self.rows_in, self.max_removed)

    @abstractmethod
    def after(self, tables: Iterator[pa.Table], folder: Path) -> Iterator[pa.Table]:
        """The rows after this operator; counts `rows_in` and `reasons`."""

    def leave(self, reason: str, rows: int) -> None:
        """Count rows that left."""
        if rows:
            self.reasons[reason] = self.reasons.get(reason, 0) + rows

    def told(self) -> dict[str, Any]:
        """The account, JSON-able; the same as of `aidp.run`, without hashes and time."""
        said = plain(
            {
                "operator": self.operator.name,
                "version": self.operator.version,
                "params": self.operator.identity(self.params),
                "rows_in": self.rows_in,
                "rows_out": self.rows_out,
                "rows_added": self.added,
                "rows_failed": self.failed,
                "reasons": self.reasons,
                "notes": self.notes,
            }
        )
        assert isinstance(said, dict)
        return said


class RowStage(Stage):
    """An operator whose verdict on a row needs no other row."""

    def after(self, tables: Iterator[pa.Table], folder: Path) -> Iterator[pa.Table]:
        """Each batch by itself."""
        for table in tables:
            try:
                effect = self.operator.effect(table, self.params)
            except AidpError as error:
                raise error.counted_on(self.rows_in) from error.__cause__
            self.rows_in += table.num_rows
            self._count(effect)
            yield apply_effect(table, effect)

    def _count(self, effect: Effect) -> None:
        self.added += effect.added
        self.failed += effect.failed
        for reason, rows in effect.gone.counts().items() if effect.gone else ():
            self.leave(reason, rows)
        before = [self.notes] if self.notes else []
        self.notes = self.operator.merged_notes([*before, effect.notes])
