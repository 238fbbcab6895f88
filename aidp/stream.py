"""Stream: a recipe over rows that come in batches and never are in memory together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from aidp.effect import BoolArray, keeping
from aidp.errors import AidpError
from aidp.operators import Operator, find_operator
from aidp.recipe import Recipe, as_data, seeded, validate
from aidp.schema import as_names, strings
from aidp.tables import apply_effect, dataset_of, read_table, table_of

if TYPE_CHECKING:
    from datasets import Dataset

    from aidp.effect import Effect

SEEN_OPERATOR = "deduplicate_by_text_hash"


@dataclass
class _Stage:
    """One step of a stream: its operator, its options, what it has seen and counted."""

    operator: Operator
    params: dict[str, Any]
    seen: set[bytes] = field(default_factory=set)
    rows_in: int = 0
    rows_out: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def pass_on(self, table: pa.Table) -> pa.Table:
        """The rows of one batch after this step."""
        if table.num_rows == 0:
            return table
        effect = (
            self._unseen(table)
            if self.operator.name == SEEN_OPERATOR
            else self.operator.effect(table, self.params)
        )
        after = apply_effect(table, effect)
        self.rows_in += table.num_rows
        self.rows_out += after.num_rows
        for reason, count in effect.gone.counts().items() if effect.gone else ():
            self.reasons[reason] = self.reasons.get(reason, 0) + count
        return after

    def _unseen(self, table: pa.Table) -> Effect:
        """Rows whose texts no earlier batch had, by a 128-bit hash of them."""
        columns = [strings(table, name).to_pylist() for name in as_names(self.params["column"])]
        mask: BoolArray = np.ones(table.num_rows, np.bool_)
        for row, texts in enumerate(zip(*columns, strict=True)):
            digest = _digest(texts)
            mask[row] = digest not in self.seen
            self.seen.add(digest)
        return keeping(mask, "duplicate")


def run_stream(
    recipe: Mapping[str, Any],
    batches: Iterable[Any],
    out: str | Path,
    sources: Mapping[str, Dataset] | None = None,
) -> tuple[Dataset, dict[str, Any]]:
    """Run `recipe` over batches and write what is left to the Arrow file `out`.

    The same rows come out as from `aidp.run` over all of them at once. Only operators whose
    verdict on a row needs no other row can be in such a recipe, and exact deduplication,
    which keeps 16 bytes for each distinct row.

    Args:
        recipe: Plain data with one source, without weight, `max_rows` and `max_samples`.
        batches: Tables, datasets, or the batches of `IterableDataset.iter(n)`.
        out: The file; it appears whole or not at all.
        sources: Datasets that parameters name.

    Returns:
        The rows, mapped from the file, and the lineage: the recipe, and rows and reasons of
        each step.

    Raises:
        AidpError: The recipe is wrong or holds an operator that needs all rows, a batch does
            not fit, or no row is left.
    """
    checked = validate(recipe)
    stages = _stages(checked, sources or {})
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    try:
        rows = _write(_through(stages, batches), partial)
        if rows == 0:
            raise AidpError("the recipe left no row of the stream; relax its options")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    lineage = {"recipe": as_data(checked), "rows": rows, "steps": [_told(one) for one in stages]}
    return dataset_of(read_table(path)), lineage


def _stages(recipe: Recipe, sources: Mapping[str, Dataset]) -> list[_Stage]:
    source = recipe.sources[0]
    limits = (source.weight, source.max_rows, recipe.max_samples)
    if len(recipe.sources) > 1 or any(limit is not None for limit in limits):
        raise AidpError("a stream has one source, without weight, max_rows and max_samples")
    return [
        _stage(find_operator(one.op), seeded(one, recipe.seed), sources) for one in recipe.steps
    ]


def _stage(operator: Operator, params: dict[str, Any], sources: Mapping[str, Dataset]) -> _Stage:
    plain = params.get("keep") == "first" and params.get("normalise") == "none"
    seen = operator.name == SEEN_OPERATOR and plain and params.get("key") == "text"
    if not (operator.each_row or seen):
        raise AidpError(
            "needs all rows at once (or these options of it do); use aidp.run",
            operator=operator.name,
        )
    for parameter in operator.parameters:
        value = params[parameter.name]
        if parameter.takes_dataset and isinstance(value, str):
            if value not in sources:
                raise AidpError(f"the source {value!r} was not given", operator=operator.name)
            params[parameter.name] = sources[value]
    return _Stage(operator, params)


def _through(stages: list[_Stage], batches: Iterable[Any]) -> Iterator[pa.Table]:
    for batch in batches:
        table = pa.table(batch) if isinstance(batch, Mapping) else table_of(batch)
        for stage in stages:
            table = stage.pass_on(table.replace_schema_metadata(None))
        if table.num_rows:
            yield table


def _write(tables: Iterator[pa.Table], path: Path) -> int:
    """Write all tables with the schema of the first; how many rows."""
    first = next(tables, None)
    if first is None:
        return 0
    rows = int(first.num_rows)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, first.schema) as writer:
        writer.write_table(first)
        for table in tables:
            try:
                writer.write_table(table.select(first.column_names).cast(first.schema))
            except (pa.ArrowInvalid, KeyError) as error:
                raise AidpError(f"a batch has other columns than the first: {error}") from None
            rows += int(table.num_rows)
    return rows


def _told(stage: _Stage) -> dict[str, Any]:
    return {
        "operator": stage.operator.name,
        "version": stage.operator.version,
        "rows_in": stage.rows_in,
        "rows_out": stage.rows_out,
        "reasons": stage.reasons,
    }


def _digest(texts: tuple[str, ...]) -> bytes:
    """A 128-bit hash of several texts, each led by its length."""
    from xxhash import xxh3_128

    hasher = xxh3_128()
    for text in texts:
        data = text.encode()
        hasher.update(len(data).to_bytes(8, "little"))
        hasher.update(data)
    return hasher.digest()
