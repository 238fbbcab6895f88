"""Stream: a recipe over rows that come in batches and never are in memory together."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from aidp.errors import AidpError, did_you_mean
from aidp.fingerprint import content_id, digest_json
from aidp.operators import Operator, find_operator
from aidp.recipe import Recipe, as_data, seeded, validate
from aidp.spool import spooled
from aidp.stage import RowStage, Stage
from aidp.stage_choice import STAGES, RandomStage
from aidp.stage_equal import EqualStage
from aidp.stage_near import NearStage
from aidp.tables import dataset_of, read_table, table_of

if TYPE_CHECKING:
    from datasets import Dataset

KINDS: Mapping[str, type[Stage]] = {
    "deduplicate_by_minhash": NearStage,
    "deduplicate_by_text_hash": EqualStage,
    **STAGES,
}


def run_stream(
    recipe: Mapping[str, Any],
    batches: Iterable[Any],
    out: str | Path,
    sources: Mapping[str, Dataset] | None = None,
) -> tuple[Dataset, dict[str, Any]]:
    """Run `recipe` over batches and write what is left to the Arrow file `out`.

    The same rows come out as from `aidp.run` over all of them at once. Operators that look at
    one row at a time work on a batch as it comes. Exact and near duplicates, a choice by
    score or at random, a mix and a balance of classes put the rows on disk first, in
    `OUT.spool` beside `out`, with some bytes about each row; memory holds a batch, or a part
    of those bytes, however many rows there are. `order="score"` takes 16 bytes for each row
    chosen. Sources that parameters name are held in memory.

    Args:
        recipe: Plain data with one source, without weight.
        batches: Tables, datasets, or the batches of `IterableDataset.iter(n)`.
        out: The file; it appears whole or not at all.
        sources: Datasets that parameters name.

    Returns:
        The rows, mapped from the file, and the lineage: recipe, one account per step,
        content id of the rows.

    Raises:
        AidpError: The recipe is wrong or holds an operator that needs all rows in memory, a
            batch or a row does not fit, or no row is left.
    """
    checked = validate(recipe)
    stages = _stages(checked, sources or {})
    first, last = _limits(checked)
    path = Path(out)
    spool, partial = (path.with_name(f"{path.name}.{kind}") for kind in ("spool", "partial"))
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(spool, ignore_errors=True)
    try:
        tables = _through([*first, *stages, *last], _tables(batches), spool)
        rows = spooled(tables, partial).rows
        if rows == 0:
            raise AidpError("the recipe left no row of the stream; relax its options")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
        shutil.rmtree(spool, ignore_errors=True)
    table = read_table(path)
    lineage = {
        "recipe": as_data(checked),
        "recipe_digest": digest_json(as_data(checked)),
        "steps": [stage.told() for stage in stages],
        "rows_over_max_samples": sum(stage.rows_in - stage.rows_out for stage in last),
        "rows": rows,
        "output_hash": content_id(table),
    }
    return dataset_of(table, fingerprint=str(lineage["output_hash"])), lineage


def _stages(recipe: Recipe, sources: Mapping[str, Dataset]) -> list[Stage]:
    if len(recipe.sources) > 1 or recipe.sources[0].weight is not None:
        raise AidpError("a stream has one source, without weight; mix rows with the operator mix")
    made = []
    for step in recipe.steps:
        operator = find_operator(step.op)
        kind = KINDS.get(operator.name, RowStage if operator.each_row else None)
        if kind is None:
            raise AidpError("needs all rows in memory at once; use aidp.run", operator=step.op)
        params = _resolved(operator, seeded(step, recipe.seed), sources)
        made.append(kind(operator, params, step.max_removed))
    return made


def _resolved(
    operator: Operator, params: dict[str, Any], sources: Mapping[str, Dataset]
) -> dict[str, Any]:
    """`params` with sources in place of their ids."""
    for parameter in operator.parameters:
        value = params[parameter.name]
        if parameter.takes_dataset and isinstance(value, str):
            if value not in sources:
                raise AidpError(
                    f"parameter {parameter.name!r} names the source {value!r}, which was not "
                    f"given; {did_you_mean(value, sources)}",
                    operator=operator.name,
                )
            params[parameter.name] = sources[value]
    return params


def _limits(recipe: Recipe) -> tuple[list[Stage], list[Stage]]:
    """What the recipe's `max_rows` and `max_samples` do, before and after its steps."""
    return tuple(  # type: ignore[return-value]
        [] if most is None else [_sample(most, recipe.seed)]
        for most in (recipe.sources[0].max_rows, recipe.max_samples)
    )


def _sample(rows: int, seed: int) -> Stage:
    params = {"n": rows, "fraction": None, "seed": seed}
    return RandomStage(find_operator("select_by_random"), params)


def _tables(batches: Iterable[Any]) -> Iterator[pa.Table]:
    for batch in batches:
        table = pa.table(batch) if isinstance(batch, Mapping) else table_of(batch)
        yield table.replace_schema_metadata(None)


def _through(stages: list[Stage], tables: Iterable[pa.Table], folder: Path) -> Iterator[pa.Table]:
    """The rows after all stages; a stage's files go once it is through."""
    if not stages:
        yield from tables
        return
    *before, last = stages
    own = folder / str(len(before))
    yield from last.run(_through(before, tables, folder), own)
    shutil.rmtree(own, ignore_errors=True)
