"""oMeBench's rows: Silver for training and validation, Gold for the test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ft_bench.protocols import RowReader, TaskData
from ft_bench.tasks.carve import in_stable_order
from ft_bench.tasks.omebench.weights import FACTORS, gold_weights, step_weights

__all__ = ["SILVER_ROWS", "VALIDATION_ROWS", "prepare", "prompt_for"]

SILVER_ROWS, VALIDATION_ROWS = 2493, 293
_PARTIAL = ("oMe_Silver.sample.jsonl", "oMe_Silver.reconstructed.jsonl")
_STEP_KEYS = ("step", "type", "subtype", "intermediate_smiles")
_PROMPT = """You are an expert in organic reaction mechanisms. Write the mechanism of this \
reaction step by step.

Reactants (SMILES): {reactants}
Products (SMILES): {products}
Conditions: {conditions}

Answer with a JSON list between [ANSWER] and [/ANSWER]. Each step is an object with "step" \
(from 1), "type", "subtype" and "intermediate_smiles" (the SMILES of the intermediate after \
the step). The subtype is exactly one of: {subtypes}."""


def _listed(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def prompt_for(reaction: Mapping[str, Any]) -> str:
    """The user message. Upstream's own prompt has a test reaction as its example; this has none."""
    return _PROMPT.format(
        reactants=json.dumps(_listed(reaction["reactants_smiles"])),
        products=json.dumps(_listed(reaction["products_smiles"])),
        conditions=reaction.get("conditions") or "not given",
        subtypes=", ".join(sorted([*FACTORS, "migratory insertion"])),
    )


def _row(reaction: Mapping[str, Any], weights: Sequence[float]) -> dict[str, Any]:
    steps = [
        {key: step[key] for key in _STEP_KEYS if key in step} for step in reaction["mechanism"]
    ]
    return {
        "id": reaction["reaction_id"],
        "prompt": prompt_for(reaction),
        "answer": f"[ANSWER]{json.dumps(steps)}[/ANSWER]",
        "level": reaction.get("level", ""),
        "mechanism": [
            {**step, "step_weight": weight} for step, weight in zip(steps, weights, strict=True)
        ],
    }


def _silver(source: RowReader) -> tuple[list[dict[str, Any]], bool]:
    """The Silver reactions, and whether they are upstream's whole file."""
    partial = tuple(filter(source.has, _PARTIAL))
    whole = source.has("oMe_Silver.jsonl") or not partial
    names = ("oMe_Silver.jsonl",) if whole else partial
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        for line in source.path(name).read_text(encoding="utf-8").split("\n"):
            if line.strip():
                reaction = json.loads(line)
                found.setdefault(reaction["reaction_id"], reaction)
    return list(found.values()), whole


def _usable(reaction: Mapping[str, Any]) -> bool:
    return all("subtype" in step for step in reaction["mechanism"])


def prepare(source: RowReader) -> TaskData:
    """Validation is 293 of the 2,493 Silver reactions by a stable hash, or its share of fewer."""
    gold = json.loads(source.path("oMe_Gold.json").read_text(encoding="utf-8"))
    silver, whole = _silver(source)
    known = gold_weights(gold)
    rows = [
        _row(
            reaction,
            step_weights(
                reaction["reaction_id"],
                tuple(step["subtype"] for step in reaction["mechanism"]),
                known,
            ),
        )
        for reaction in silver
        if _usable(reaction)
    ]
    size = round(len(silver) * VALIDATION_ROWS / SILVER_ROWS)
    ordered = in_stable_order(rows, lambda row: str(row["id"]))
    test = [_row(one, [step["step_weight"] for step in one["mechanism"]]) for one in gold]
    bases = {str(row["id"]).split("_", 1)[0] for row in rows}
    notes = [
        f"{sum(row['id'] in bases for row in test)} test reactions have variants in training or "
        "validation, as upstream.",
        f"{len(silver) - len(rows)} Silver reactions lack a sub-type and are left out.",
    ]
    if not whole:
        notes.insert(
            0, f"Missing: oMe_Silver.jsonl; {len(silver)} of its 2,493 reactions are here."
        )
    return TaskData(ordered[size:], ordered[:size], test, tuple(notes))
