"""Recipe: a data recipe, a training scheme, what changed in them and what they did, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ft_bench.digest import canonical_json
from ft_bench.plan import Change, DataRecipe, Variant
from ft_bench.record import Lineage, Overlap
from ft_bench.report.figures import percent

__all__ = [
    "Passage",
    "change_words",
    "lineage_words",
    "overlap_words",
    "passages",
    "recipe_words",
    "scheme_words",
]


@dataclass(frozen=True, slots=True)
class Passage:
    """What one source, operator or cap did to the rows. `before` is None for a source."""

    name: str
    before: int | None
    after: int
    why: str = ""


def recipe_words(recipe: DataRecipe) -> list[str]:
    """One line for each source, each operator in order, and the cap."""
    lines = []
    for source in recipe.sources:
        parts = [f"source {source.id}"]
        if source.revision:
            parts.append(f"revision {source.revision}")
        if source.weight is not None:
            parts.append(f"weight {source.weight:g}")
        if source.max_rows is not None:
            parts.append(f"at most {source.max_rows:,} rows")
        if source.licence:
            parts.append(f"licence {source.licence}")
        lines.append(", ".join(parts))
    lines += [_call(step.op, step.params) for step in recipe.steps]
    if recipe.max_samples is not None:
        lines.append(f"at most {recipe.max_samples:,} rows")
    return lines


def _call(operator: str, params: Mapping[str, Any]) -> str:
    inside = ", ".join(f"{name}={_value(value)}" for name, value in params.items())
    return f"{operator}({inside})"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def scheme_words(scheme: Variant) -> str:
    """The training scheme on one line."""
    lora = scheme.lora
    how = "all weights" if lora is None else f"LoRA r {lora.r}, alpha {lora.alpha}"
    parts = [
        scheme.method,
        how,
        f"lr {scheme.lr:g} {scheme.schedule}",
        f"warmup {scheme.warmup:g}",
        f"{scheme.samples:,} rows seen"
        if scheme.samples
        else f"{scheme.epochs:g} epoch{'' if scheme.epochs == 1 else 's'}",
        f"batch {scheme.batch_size}",
        f"length {scheme.max_length}",
    ]
    if scheme.weight_decay:
        parts.append(f"weight decay {scheme.weight_decay:g}")
    if scheme.packing:
        parts.append("packed")
    return ", ".join(parts)


def change_words(change: Change) -> str:
    """One difference to the parent: "lr: 0.0003 -> 0.001", "added balance_classes(mode=up)"."""
    room, _, name = change.field.partition(".")
    if room == "variant" or name in ("max_samples", "sources"):
        return f"{name}: {_state(change.before)} -> {_state(change.after)}"
    if change.before is None:
        return f"added {_call(name, change.after)}"
    if change.after is None:
        return f"dropped {_call(name, change.before)}"
    return f"changed {_call(name, change.before)} -> {_call(name, change.after)}"


def _state(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:g}"
    return _value(value)


def passages(lineage: Mapping[str, Any]) -> list[Passage]:
    """Rows before and after each operator, from a dataset's lineage.

    What another builder left out, or wrote in another form, is left out here too.
    """
    found = []
    for source in _mappings(lineage.get("sources")):
        rows = source.get("rows_used", source.get("rows"))
        if isinstance(rows, int):
            of = source.get("rows", rows)
            why = f"of {of:,}" if isinstance(of, int) and of != rows else ""
            found.append(Passage(f"source {source.get('id', '')}", None, rows, why))
    for account in _mappings(lineage.get("steps")):
        before, after = account.get("rows_in"), account.get("rows_out")
        if isinstance(before, int) and isinstance(after, int):
            found.append(Passage(str(account.get("operator", "?")), before, after, _why(account)))
    over, rows = lineage.get("rows_over_max_samples"), lineage.get("rows")
    if isinstance(over, int) and isinstance(rows, int) and over:
        found.append(Passage("cap on rows", rows + over, rows))
    return found


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _why(account: Mapping[str, Any]) -> str:
    reasons = account.get("reasons")
    parts = [f"{n:,} {why}" for why, n in reasons.items()] if isinstance(reasons, Mapping) else []
    added = account.get("rows_added")
    if isinstance(added, int) and added:
        parts.append(f"{added:,} added")
    return ", ".join(parts)


def overlap_words(overlap: Overlap) -> str:
    """How many rows of a dataset also stand in a split."""
    counts = f"{overlap.exact:,} exact, {overlap.ngram13:,} by 13-gram, {overlap.near:,} near"
    touched = max(overlap.exact, overlap.ngram13, overlap.near)
    share = f" ({percent(touched / overlap.rows)})" if overlap.rows and touched else ""
    brought = f", {overlap.leaked:,} of them brought in" if overlap.leaked else ""
    return f"{overlap.split}: {counts} of {overlap.rows:,} rows{share}{brought}"


def lineage_words(lineage: Lineage | None) -> str:
    """Whether the weights are the permitted base plus a delta."""
    if lineage is None:
        return "not measured"
    if lineage.faults:
        return f"NOT the base plus a delta: {'; '.join(lineage.faults)}"
    if lineage.kind == "adapter":
        return f"the base with an adapter on {lineage.changed:,} matrices"
    return (
        f"the base plus a delta: {lineage.changed:,} of {lineage.tensors:,} tensors moved, median "
        f"cosine {lineage.cosine or 0.0:.3f}, largest relative delta "
        f"{lineage.relative_delta or 0.0:.3g}"
    )
