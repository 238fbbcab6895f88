"""Ray engine: operators that look at one row at a time, over the blocks of a Ray dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from aidp.effect import Effect, Gone
from aidp.errors import AidpError
from aidp.operators import Operator, find_operator
from aidp.tables import apply_effect, dataset_of, table_of

if TYPE_CHECKING:
    pass

ROW, REASON, ERROR = "__aidp_row", "__aidp_reason", "__aidp_error"
LEAST_BLOCK_ROWS = 1_000


def effect_on_ray(operator: Operator, table: pa.Table, params: Mapping[str, Any]) -> Effect:
    """What `operator` does to `table`, computed in blocks on Ray, equal to doing it here.

    Operators that need all rows at once are computed here.

    Raises:
        AidpError: Ray is not installed, or the operator refuses a row.
    """
    if not operator.each_row or table.num_rows == 0 or _holds_functions(params):
        return operator.effect(table, params)
    ray = _ray()
    numbered = table.replace_schema_metadata(None).append_column(
        ROW, pa.array(np.arange(table.num_rows))
    )
    size = max(LEAST_BLOCK_ROWS, -(-table.num_rows // 64))
    blocks = [numbered.slice(at, size).combine_chunks() for at in range(0, table.num_rows, size)]
    shared = ray.put(_portable(params))
    work = ray.data.from_arrow(blocks).map_batches(
        _work_on_block,
        fn_kwargs={"name": operator.name, "params": shared},
        batch_format="pyarrow",
        batch_size=None,
    )
    blocks = [block for ref in work.to_arrow_refs() if (block := ray.get(ref)).num_rows]
    made = pa.concat_tables(blocks, promote_options="permissive")
    _raise_first(made)
    return _joined(made)


def _work_on_block(block: pa.Table, name: str, params: Any) -> pa.Table:
    """The rows of one block after the operator, then those that left with their reason."""
    import ray

    given = ray.get(params) if isinstance(params, ray.ObjectRef) else params
    restored = {
        key: dataset_of(value) if isinstance(value, pa.Table) else value
        for key, value in given.items()
    }
    numbers = block.column(ROW).combine_chunks()
    try:
        effect = find_operator(name).effect(block, restored)
    except AidpError as error:
        return _as_row(error, numbers)
    kept = apply_effect(block, effect)
    kept = kept.append_column(REASON, pa.nulls(kept.num_rows, pa.string()))
    if effect.gone is None:
        return kept
    reasons = np.array(effect.gone.reasons, object)[effect.gone.codes]
    left = pa.table(
        {ROW: numbers.take(pa.array(effect.gone.rows)), REASON: pa.array(reasons, pa.string())}
    )
    return pa.concat_tables([kept, left], promote_options="permissive")


def _as_row(error: AidpError, numbers: pa.Array) -> pa.Table:
    """The error as data, its row counted in the whole input: exceptions come back changed."""
    row = None if error.row is None else int(numbers[error.row].as_py())
    told = {"operator": error.operator, "column": error.column, "row": row}
    return pa.table({ROW: numbers[:1], ERROR: [json.dumps([error.message, told])]})


def _raise_first(made: pa.Table) -> None:
    """Raise the error of the earliest block that had one.

    Raises:
        AidpError: A block had one.
    """
    if ERROR in made.column_names:
        failed = made.filter(made.column(ERROR).is_valid()).sort_by(ROW)
        message, told = json.loads(failed.column(ERROR)[0].as_py())
        raise AidpError(message, **told)


def _joined(made: pa.Table) -> Effect:
    """One effect of all blocks, rows in the order of the input."""
    rows = made.column(ROW).to_numpy()
    made = made.take(pa.array(np.argsort(rows, kind="stable")))
    rows = made.column(ROW).to_numpy()
    reasons = made.column(REASON)
    gone_here = reasons.is_valid().to_numpy()
    kept = made.filter(pa.array(~gone_here)).drop_columns([ROW, REASON])
    added = int((~gone_here).sum()) - len(np.unique(rows[~gone_here]))
    if not gone_here.any():
        return Effect(table=kept, added=added)
    encoded = reasons.filter(reasons.is_valid()).combine_chunks().dictionary_encode()
    gone = Gone(
        rows[gone_here],
        tuple(encoded.dictionary.to_pylist()),
        encoded.indices.to_numpy().astype(np.int64),
        np.full(int(gone_here.sum()), -1, np.int64),
    )
    return Effect(table=kept, added=added, gone=gone)


def _portable(params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: table_of(value) if hasattr(value, "num_rows") else value
        for key, value in params.items()
    }


def _holds_functions(params: Mapping[str, Any]) -> bool:
    return any(callable(value) for value in params.values())


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
