"""Recipe: sources and operator calls as plain data, checked before anything runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aidp.errors import AidpError, did_you_mean
from aidp.fingerprint import digest_json
from aidp.operators import find_operator
from aidp.parameters import EXECUTION, fits

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Source:
    """One set of rows that a recipe starts from.

    Attributes:
        id: Its name; `aidp.run` is given the rows under it.
        weight: Its share of the mix relative to the other sources; None takes all rows.
        max_rows: At most so many rows of it, chosen by seeded hash.
        path: A local file to load it from, where the caller gives no rows.
        revision: Which version of the source it is, for the lineage.
        licence: Its licence, for the lineage.
        split: Its split, for the lineage.
    """

    id: str
    weight: float | None = None
    max_rows: int | None = None
    path: str | None = None
    revision: str | None = None
    licence: str | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One operator call of a recipe.

    Attributes:
        op: The operator's name.
        params: Its options; a dataset is named by the id of a source.
        seed: Shorthand for `params["seed"]`.
        max_removed: The largest share of rows that may leave.
    """

    op: str
    params: Mapping[str, Any]
    seed: int | None = None
    max_removed: float = 1.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """A checked recipe.

    Attributes:
        sources: What it starts from, at least one.
        steps: What is done, in order.
        max_samples: At most so many rows at the end, chosen by seeded hash; None keeps all.
        seed: The seed of every operator that is not given its own.
    """

    sources: tuple[Source, ...]
    steps: tuple[Step, ...]
    max_samples: int | None = None
    seed: int = 0


_KINDS: Mapping[str, Any] = {
    "id": str,
    "weight": float | None,
    "max_rows": int | None,
    "path": str | None,
    "revision": str | None,
    "licence": str | None,
    "split": str | None,
    "op": str,
    "params": Mapping[str, Any],
    "seed": int | None,
    "max_removed": float,
    "max_samples": int | None,
    "sources": Sequence[Mapping[str, Any]],
    "steps": Sequence[Mapping[str, Any]],
}


def validate(recipe: Mapping[str, Any]) -> Recipe:
    """Check `recipe` without any rows and give it in its normal form.

    Args:
        recipe: `{"sources": [{"id", "weight", "max_rows", ...}], "steps": [{"op", "params",
            ...}], "max_samples", "seed"}`; all but `sources` may be left out.

    Raises:
        AidpError: Anything about it is wrong; the sentence says what and how to mend it.
    """
    _check(recipe, "the recipe", {"sources", "steps", "max_samples", "seed"}, {"sources"})
    sources = tuple(_source(entry, i) for i, entry in enumerate(recipe["sources"]))
    if not sources:
        raise AidpError("the recipe has no sources, expected at least one {'id': ...}")
    ids = [source.id for source in sources]
    if len(set(ids)) < len(ids):
        raise AidpError(f"the recipe names a source twice in {ids}, expected distinct ids")
    weighted = [source for source in sources if source.weight is not None]
    if weighted and len(weighted) < len(sources):
        bare = next(source.id for source in sources if source.weight is None)
        raise AidpError(f"source {bare!r} has no weight while others have; give all or none")
    if weighted and sum(source.weight or 0.0 for source in weighted) <= 0:
        raise AidpError("all weights of the recipe are 0, expected at least one above 0")
    max_samples = recipe.get("max_samples")
    if max_samples is not None and max_samples < 1:
        raise AidpError(f"max_samples is {max_samples}, expected at least 1 or null")
    steps = tuple(_step(entry, i) for i, entry in enumerate(recipe.get("steps") or ()))
    return Recipe(sources, steps, max_samples, recipe.get("seed") or 0)


def recipe_digest(recipe: Mapping[str, Any]) -> str:
    """A 32-digit hexadecimal digest of what `recipe` does: defaults filled in, versions included.

    Options that only say how to compute (processes, concurrency) do not change it.

    Raises:
        AidpError: The recipe is not valid.
    """
    return digest_json(as_data(validate(recipe)))


def as_data(recipe: Recipe) -> dict[str, Any]:
    """The normal form of a checked recipe as JSON-able data."""
    return {
        "schema_version": SCHEMA_VERSION,
        "sources": [
            {name: getattr(source, name) for name in Source.__slots__} for source in recipe.sources
        ],
        "steps": [_step_data(step, recipe.seed) for step in recipe.steps],
        "max_samples": recipe.max_samples,
        "seed": recipe.seed,
    }


def seeded(step: Step, seed: int) -> dict[str, Any]:
    """The options of `step`, with its own seed or else `seed` where the operator takes one."""
    operator = find_operator(step.op)
    takes_seed = any(parameter.name == "seed" for parameter in operator.parameters)
    given = dict(step.params)
    if takes_seed:
        given.setdefault("seed", seed if step.seed is None else step.seed)
    elif step.seed is not None:
        raise AidpError("takes no seed; remove it from the recipe", operator=step.op)
    return operator.bind(given, by_name=True)


def _step_data(step: Step, seed: int) -> dict[str, Any]:
    params = {k: v for k, v in seeded(step, seed).items() if k not in EXECUTION}
    version = find_operator(step.op).version
    return {
        "op": step.op,
        "version": version,
        "params": params,
        "max_removed": step.max_removed,
    }


def _source(entry: Mapping[str, Any], position: int) -> Source:
    where = f"source {position} of the recipe"
    _check(entry, where, set(Source.__slots__), {"id"})
    source = Source(**entry)
    if source.weight is not None and not 0 <= source.weight < float("inf"):
        raise AidpError(f"{where} has weight {source.weight}, expected a finite number >= 0")
    if source.max_rows is not None and source.max_rows < 1:
        raise AidpError(f"{where} has max_rows {source.max_rows}, expected at least 1 or null")
    return source


def _step(entry: Mapping[str, Any], position: int) -> Step:
    where = f"step {position} of the recipe"
    _check(entry, where, set(Step.__slots__), {"op"})
    step = Step(**{"params": {}, **entry})
    find_operator(step.op)
    try:
        json.dumps(step.params, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise AidpError(
            f"{where} has params that are no JSON data ({error}); call the operator from Python",
            operator=step.op,
        ) from None
    if not 0 <= step.max_removed <= 1:
        raise AidpError(
            f"{where} has max_removed {step.max_removed}, expected 0 to 1", operator=step.op
        )
    seeded(step, 0)
    return step


def _check(entry: object, where: str, known: set[str], required: set[str]) -> None:
    if not isinstance(entry, Mapping):
        raise AidpError(f"{where} is a {type(entry).__name__}, expected a mapping")
    for name in entry:
        if name not in known:
            raise AidpError(
                f"{where} has an unknown key {name!r}; {did_you_mean(str(name), known)}"
            )
        if not fits(entry[name], _KINDS[name]):
            raise AidpError(f"{where} has {name} {entry[name]!r}, expected {_spell(name)}")
    missing = sorted(required - set(entry))
    if missing:
        raise AidpError(f"{where} has no {missing[0]!r}; add it")


def _spell(name: str) -> str:
    kind = _KINDS[name]
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")
