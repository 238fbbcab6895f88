"""Engine: runs a recipe over its sources, one operator after the other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aidp.effect import Effect
from aidp.errors import AidpError, did_you_mean
from aidp.fingerprint import content_id, digest_json
from aidp.load import load_local_dataset
from aidp.operators import Operator, find_operator, guard, plain
from aidp.outcome import Account, RunOutcome, account_of
from aidp.recipe import Recipe, Step, as_data, seeded, validate
from aidp.sampling import nested_sample
from aidp.sources import gather
from aidp.tables import apply_effect, dataset_of
from aidp.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

    from aidp.effect import Gone

log = logging.getLogger(__name__)
Progress = Callable[[int, int, Account], None]
Engine = Literal["local", "ray"]


@dataclass(frozen=True, slots=True)
class _Kitchen:
    """What every step of one run needs."""

    sources: Mapping[str, Dataset]
    workspace: Workspace | None
    num_proc: int
    engine: Engine

    def effect(self, operator: Operator, table: pa.Table, params: Mapping[str, Any]) -> Effect:
        """What `operator` does to `table`, computed where the run wants it."""
        if self.engine == "local":
            return operator.effect(table, params)
        from aidp.ray_engine import effect_on_ray

        return effect_on_ray(operator, table, params)


def run(
    recipe: Mapping[str, Any],
    sources: Mapping[str, Dataset] | None = None,
    *,
    workspace: str | Path | None = None,
    num_proc: int = 1,
    engine: Engine = "local",
    progress: Progress | None = None,
) -> RunOutcome:
    """Run `recipe`; the same rows come out whatever `num_proc` and `workspace` are.

    Args:
        recipe: Plain data, see `aidp.validate`.
        sources: Datasets by source id; also those that only parameters name. A source with
            a `path` need not be given.
        workspace: A folder that keeps finished steps; a step whose output is there by
            content is not run again, and rows are mapped from files, not held in memory.
        num_proc: Processes or threads for the operators that can use several.
        engine: `ray` computes operators that look at one row at a time over the blocks of a
            Ray dataset; the others are computed here. Equal output, hashes included.
        progress: Called after each step with its position, the number of steps, its account.

    Raises:
        AidpError: The recipe is wrong, a source is missing, an operator refuses, or a step
            leaves no row.
    """
    checked = validate(recipe)
    given = _all_sources(checked, sources or {})
    kitchen = _Kitchen(given, Workspace(Path(workspace)) if workspace else None, num_proc, engine)
    table, origins, notes = gather(checked, given)
    digest = _gathered_id(table, origins)
    accounts: list[Account] = []
    departures: list[tuple[int, str, pa.Table, Gone | None]] = []
    for position, step in enumerate(checked.steps):
        after, gone, account = _cook(kitchen, step, checked.seed, table, digest)
        departures.append((position, step.op, table, gone))
        accounts.append(account)
        table, digest = after, account.output_hash
        _tell(position, len(checked.steps), account, progress)
    capped, gone = _cap(checked, table)
    departures.append((len(checked.steps), "max_samples", table, gone))
    lineage = {
        "recipe": as_data(checked),
        "recipe_digest": digest_json(as_data(checked)),
        "sources": origins,
        "gathered": notes,
        "steps": [account.as_dict() for account in accounts],
        "rows_over_max_samples": table.num_rows - capped.num_rows,
        "rows": capped.num_rows,
        "output_hash": digest if capped is table else content_id(capped),
    }
    like = given[checked.sources[0].id]
    dataset = dataset_of(capped, like, str(lineage["output_hash"]))
    return RunOutcome(dataset, plain_mapping(lineage), tuple(departures))


def _gathered_id(table: pa.Table, origins: list[dict[str, Any]]) -> str:
    """The content id of the gathered rows; that of the source where they are all of one."""
    first = origins[0]
    if len(origins) == 1 and first["rows_used"] == first["rows"]:
        return str(first["content_id"])
    return content_id(table)


def plain_mapping(value: Mapping[str, Any]) -> dict[str, Any]:
    """`value` with nothing in it that JSON does not know."""
    made = plain(value)
    assert isinstance(made, dict)
    return made


def _all_sources(recipe: Recipe, sources: Mapping[str, Dataset]) -> dict[str, Dataset]:
    given = dict(sources)
    for source in recipe.sources:
        if source.id not in given and source.path is None:
            raise AidpError(
                f"the recipe's source {source.id!r} was not given; "
                f"{did_you_mean(source.id, given)}, or give the source a path"
            )
        if source.id not in given and source.path is not None:
            given[source.id] = load_local_dataset(source.path)
    return given


def _cook(
    kitchen: _Kitchen, step: Step, seed: int, table: pa.Table, digest: str
) -> tuple[pa.Table, Gone | None, Account]:
    """One step: from the workspace if it is there, else computed and kept there."""
    started = time.perf_counter()
    operator = find_operator(step.op)
    params = _resolve(operator, seeded(step, seed), kitchen)
    identity = plain(operator.identity(params))
    key = digest_json([operator.name, operator.version, identity, step.max_removed, digest])
    found = None if kitchen.workspace is None else kitchen.workspace.find(key)
    if found is not None:
        return found
    effect = kitchen.effect(operator, table, params)
    guard(operator.name, effect, table.num_rows, step.max_removed)
    after = _after(kitchen.workspace, key, table, effect)
    if after.num_rows == 0:
        raise AidpError(
            f"left none of {table.num_rows:,} rows; relax its options", operator=operator.name
        )
    account = replace(
        account_of(operator, params, effect, table.num_rows, after.num_rows),
        input_hash=digest,
        output_hash=digest if after is table else content_id(after),
        seconds=time.perf_counter() - started,
    )
    account = replace(
        account, params=plain_mapping(account.params), notes=plain_mapping(account.notes)
    )
    if kitchen.workspace is not None:
        kitchen.workspace.finish(key, effect.gone, account)
    return after, effect.gone, account


def _after(workspace: Workspace | None, key: str, table: pa.Table, effect: Effect) -> pa.Table:
    if workspace is None:
        return apply_effect(table, effect)
    return workspace.write_rows(key, table, effect)


def _resolve(operator: Operator, params: dict[str, Any], kitchen: _Kitchen) -> dict[str, Any]:
    """`params` with sources in place of their ids and the run's number of processes."""
    resolved = dict(params)
    for parameter in operator.parameters:
        value = params[parameter.name]
        if parameter.takes_dataset and isinstance(value, str):
            if value not in kitchen.sources:
                raise AidpError(
                    f"parameter {parameter.name!r} names the source {value!r}, which was not "
                    f"given; {did_you_mean(value, kitchen.sources)}",
                    operator=operator.name,
                )
            resolved[parameter.name] = kitchen.sources[value]
        if parameter.name == "num_proc" and value == parameter.default:
            resolved["num_proc"] = kitchen.num_proc
        if parameter.name == "llm" and kitchen.workspace is not None:
            journal = str(kitchen.workspace.folder / "llm.jsonl")
            resolved["llm"] = {"journal": journal, **value}
    return resolved


def _cap(recipe: Recipe, table: pa.Table) -> tuple[pa.Table, Gone | None]:
    if recipe.max_samples is None or table.num_rows <= recipe.max_samples:
        return table, None
    effect = nested_sample(table.num_rows, recipe.max_samples, recipe.seed, "over max_samples")
    return apply_effect(table, effect), effect.gone


def _tell(position: int, steps: int, account: Account, progress: Progress | None) -> None:
    log.info(
        "%d/%d %s: %d -> %d rows %s",
        position + 1,
        steps,
        account.operator,
        account.rows_in,
        account.rows_out,
        "from the workspace" if account.resumed else f"in {account.seconds:.2f} s",
    )
    if progress is not None:
        progress(position + 1, steps, account)
