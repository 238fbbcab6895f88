"""Sources: the rows a recipe starts from, limited, mixed by weight and put end to end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from aidp.errors import AidpError
from aidp.fingerprint import content_id
from aidp.sampling import allot, largest_total, lowest, row_keys
from aidp.tables import table_of, take_rows

if TYPE_CHECKING:
    from datasets import Dataset

    from aidp.recipe import Recipe, Source


def gather(
    recipe: Recipe, sources: Mapping[str, Dataset]
) -> tuple[pa.Table, list[dict[str, Any]], dict[str, Any]]:
    """The rows of all sources in the order of the recipe.

    With weights, as many rows as the weights allow without taking one twice, exact to a row;
    without, all. Within a source rows keep their order.

    Returns:
        The rows, what the lineage says of each source, and notes on the mix.

    Raises:
        AidpError: A source has no rows, or two sources disagree on a column's type.
    """
    tables = [
        _limited(source, table_of(sources[source.id]), recipe.seed) for source in recipe.sources
    ]
    weights = [source.weight for source in recipe.sources if source.weight is not None]
    total = sum(table.num_rows for table in tables)
    if weights:
        total = largest_total([table.num_rows for table in tables], weights)
        tables = [
            take_rows(table, lowest(row_keys(table.num_rows, recipe.seed), n))
            for table, n in zip(tables, allot(total, weights), strict=True)
        ]
    if total == 0:
        raise AidpError("the sources give no rows; relax the weights or give other rows")
    origins = [
        {
            "id": source.id,
            "revision": source.revision,
            "licence": source.licence,
            "split": source.split,
            "content_id": content_id(table_of(sources[source.id])),
            "rows": sources[source.id].num_rows,
            "rows_used": table.num_rows,
        }
        for source, table in zip(recipe.sources, tables, strict=True)
    ]
    return concatenated(tables, [s.id for s in recipe.sources]), origins, {"rows": total}


def concatenated(tables: list[pa.Table], names: list[str]) -> pa.Table:
    """Rows end to end; a column that one lacks is null there.

    Raises:
        AidpError: Two tables give a column different types.
    """
    seen: dict[str, tuple[pa.DataType, str]] = {}
    plain = [table.replace_schema_metadata(None) for table in tables]
    for table, name in zip(plain, names, strict=True):
        for field in table.schema:
            kind, first = seen.setdefault(field.name, (field.type, name))
            if not _compatible(kind, field.type):
                raise AidpError(
                    f"is {kind} in {first!r} and {field.type} in {name!r}; cast one of them",
                    column=field.name,
                )
    return plain[0] if len(plain) == 1 else pa.concat_tables(plain, promote_options="permissive")


def _compatible(one: pa.DataType, other: pa.DataType) -> bool:
    if one == other or pa.types.is_null(one) or pa.types.is_null(other):
        return True
    texts = (pa.types.is_string, pa.types.is_large_string)
    numbers = (pa.types.is_integer, pa.types.is_floating)
    return any(
        any(test(one) for test in family) and any(test(other) for test in family)
        for family in (texts, numbers)
    )


def _limited(source: Source, table: pa.Table, seed: int) -> pa.Table:
    if table.num_rows == 0:
        raise AidpError(f"source {source.id!r} is empty, expected at least one row")
    if source.max_rows is None or table.num_rows <= source.max_rows:
        return table
    return take_rows(table, lowest(row_keys(table.num_rows, seed), source.max_rows))
