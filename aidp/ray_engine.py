"""Ray engine: what an operator does to a table, computed on a Ray cluster by Ray Data.

An operator that looks at one row at a time works on many blocks at once. Any other gets all
rows gathered into one block, on whichever machine has room for it; so does a model, whose
numbers depend a little on which texts it sees together. A block's answer is one table: the
rows that stay, the rows that left, and a last row, the footer, that says the rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from aidp.effect import Effect, Gone
from aidp.errors import AidpError
from aidp.operators import Operator, find_operator, plain
from aidp.tables import apply_effect, dataset_of, table_of

ROW, BLOCK, PLACE = "__aidp_row", "__aidp_block", "__aidp_place"
CODE, TWIN, FOOTER = "__aidp_code", "__aidp_twin", "__aidp_footer"
OURS = (ROW, BLOCK, PLACE, CODE, TWIN, FOOTER)
LEAST_BLOCK_ROWS = 1_000
MOST_BLOCKS = 64


def effect_on_ray(operator: Operator, table: pa.Table, params: Mapping[str, Any]) -> Effect:
    """What `operator` does to `table`, computed on Ray, equal to doing it here.

    Model calls are made here: they wait for a server, and their budget and journal are one.
    So is what a Python function decides.

    Raises:
        AidpError: Ray is not installed, or the operator refuses the options or a row.
    """
    if operator.cost == "model calls" and "llm" in params:
        return operator.effect(table, params)
    if table.num_rows == 0 or any(callable(value) for value in params.values()):
        return operator.effect(table, params)
    ray = _ray()
    apart = operator.each_row and params.get("model") is None
    blocks = _blocks(table, MOST_BLOCKS if apart else 1)
    threads = 1 if apart else min(params.get("num_proc", 1), _cores(ray))
    given = {"num_proc": threads} if "num_proc" in params else {}
    work = ray.data.from_arrow(blocks).map_batches(
        _work_on_block,
        fn_kwargs={"name": operator.name, "params": ray.put(_portable({**params, **given}))},
        batch_format="pyarrow",
        batch_size=None,
        num_cpus=threads,
    )
    parts = [part for ref in work.to_arrow_refs() if (part := ray.get(ref)).num_rows]
    made = pa.concat_tables(parts, promote_options="permissive")
    return _joined(made.sort_by([(BLOCK, "ascending"), (PLACE, "ascending")]), operator)


def _blocks(table: pa.Table, most: int) -> list[pa.Table]:
    """Consecutive parts of `table`, at most so many, that know their number and their rows."""
    rows = table.num_rows
    size = max(LEAST_BLOCK_ROWS, -(-rows // most)) if most > 1 else rows
    numbered = table.replace_schema_metadata(None)
    numbered = numbered.append_column(ROW, pa.array(np.arange(rows)))
    numbered = numbered.append_column(BLOCK, pa.array(np.arange(rows) // size))
    return [numbered.slice(at, size).combine_chunks() for at in range(0, rows, size)]


def _work_on_block(block: pa.Table, name: str, params: Any) -> pa.Table:
    """The answer of one block; runs on a worker."""
    import ray

    given = ray.get(params) if isinstance(params, ray.ObjectRef) else params
    restored = {
        key: dataset_of(value) if isinstance(value, pa.Table) else value
        for key, value in given.items()
    }
    rows, number = block.column(ROW).to_numpy(), block.column(BLOCK)[0].as_py()
    try:
        effect = find_operator(name).effect(block, restored)
    except AidpError as error:
        return _numbered([_footer(_told(error, rows))], number)
    kept = apply_effect(block, effect).drop_columns([ROW, BLOCK])
    said = {"added": effect.added, "failed": effect.failed, "notes": plain(effect.notes)}
    if effect.gone is None:
        return _numbered([kept, _footer({**said, "reasons": []})], number)
    twins = effect.gone.twins
    left = pa.table(
        {
            ROW: pa.array(rows[effect.gone.rows]),
            CODE: pa.array(effect.gone.codes),
            TWIN: pa.array(np.where(twins < 0, twins, rows[twins])),
        }
    )
    footer = _footer({**said, "reasons": list(effect.gone.reasons)})
    return _numbered([kept, left, footer], number)


def _numbered(parts: Sequence[pa.Table], number: int) -> pa.Table:
    """The parts as one table whose rows know the block and their place in it."""
    whole = pa.concat_tables(parts, promote_options="permissive")
    whole = whole.append_column(BLOCK, pa.array(np.full(whole.num_rows, number)))
    return whole.append_column(PLACE, pa.array(np.arange(whole.num_rows))).combine_chunks()


def _footer(said: Mapping[str, Any]) -> pa.Table:
    return pa.table({FOOTER: [json.dumps(said)]})


def _told(error: AidpError, rows: np.ndarray[Any, Any]) -> dict[str, Any]:
    """An error as data, its row counted in the whole input: exceptions come back changed."""
    row = None if error.row is None else int(rows[error.row])
    place = {"operator": error.operator, "column": error.column, "row": row}
    return {"error": error.message, "place": place}


def _joined(made: pa.Table, operator: Operator) -> Effect:
    """One effect of the answers of all blocks, which follow one another in `made`.

    Raises:
        AidpError: A block refused; that of the first such block.
    """
    footers = made.filter(made.column(FOOTER).is_valid())
    said = [json.loads(text) for text in footers.column(FOOTER).to_pylist()]
    for one in said:
        if "error" in one:
            raise AidpError(one["error"], **one["place"])
    effect = Effect(
        added=sum(one["added"] for one in said),
        failed=sum(one["failed"] for one in said),
        notes=operator.merged_notes([one["notes"] for one in said]),
    )
    ours = [name for name in OURS if name in made.column_names]
    if CODE not in made.column_names:
        return replace(effect, table=made.filter(made.column(FOOTER).is_null()).drop_columns(ours))
    left = made.filter(made.column(CODE).is_valid())
    stays = pa.compute.and_(made.column(FOOTER).is_null(), made.column(CODE).is_null())
    gone = _gone(left, [tuple(one["reasons"]) for one in said])
    return replace(effect, table=made.filter(stays).drop_columns(ours), gone=gone)


def _gone(left: pa.Table, reasons: Sequence[tuple[str, ...]]) -> Gone:
    """The rows that left, each block's reasons put in one list."""
    union = tuple(dict.fromkeys(reason for block in reasons for reason in block))
    blocks, own = left.column(BLOCK).to_numpy(), left.column(CODE).to_numpy()
    codes = np.empty(left.num_rows, np.int64)
    for number, block in enumerate(reasons):
        here = blocks == number
        renamed = np.array([union.index(reason) for reason in block], np.int64)
        codes[here] = renamed[own[here].astype(np.int64)]
    return Gone(left.column(ROW).to_numpy(), union, codes, left.column(TWIN).to_numpy())


def _portable(params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: table_of(value) if hasattr(value, "num_rows") else value
        for key, value in params.items()
    }


def _cores(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError:
        raise AidpError(
            "engine 'ray' needs Ray, which is not installed; install 'ray[data]', "
            "or use engine='local'"
        ) from None
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    return ray
