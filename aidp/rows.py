"""Row: one record whose columns are read only when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


class RowColumns:
    """The columns of one batch as Python lists, each made when first asked for."""

    __slots__ = ("_batch", "_lists")

    def __init__(self, batch: pa.RecordBatch) -> None:
        """Hold `batch`."""
        self._batch = batch
        self._lists: dict[str, list[Any]] = {}

    def __getitem__(self, name: str) -> list[Any]:
        """The values of one column.

        Raises:
            KeyError: There is no such column.
        """
        found = self._lists.get(name)
        if found is None:
            if name not in self._batch.schema.names:
                raise KeyError(name)
            found = self._lists[name] = self._batch.column(name).to_pylist()
        return found

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return list(self._batch.schema.names)


class Row(Mapping[str, Any]):
    """A read-only mapping from column to value."""

    __slots__ = ("_columns", "_position")

    def __init__(self, columns: RowColumns, position: int) -> None:
        """The row at `position` of `columns`."""
        self._columns = columns
        self._position = position

    def __getitem__(self, name: str) -> Any:
        """The value of one column.

        Raises:
            KeyError: There is no such column.
        """
        return self._columns[name][self._position]

    def __iter__(self) -> Iterator[str]:
        """The names of the columns."""
        return iter(self._columns.names)

    def __len__(self) -> int:
        """How many columns there are."""
        return len(self._columns.names)
