"""TOMG-Bench: molecules from instructions, nine sub-tasks, validity and accuracy.

`strict` extracts as the leaderboard's correction step does: the first `{...}` is read as JSON with
the key "molecule", and a text without braces is the SMILES itself. `s2` extracts as the benchmark's
successor does, for which an empty SMILES is a molecule. `direct` takes the output as it is. The
weight between validity and accuracy is inferred from published gains (docs/design), so it is an
argument of `tomg_scorer`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ft_bench.protocols import ItemScore, Row
from ft_bench_scorers.means import GroupMeanScorer
from ft_bench_scorers.molecules import fingerprint, quiet, read_smiles, similarity
from ft_bench_scorers.reasoning import VERBATIM
from ft_bench_scorers.tomg_groups import (
    ATOMIC_NUMBERS,
    BONDS,
    GROUPS,
    count_atoms,
    count_bond,
    count_group,
)

__all__ = ["SCORER", "SUBTASKS", "VALIDITY_WEIGHT", "extract_smiles", "satisfies", "tomg_scorer"]

VALIDITY_WEIGHT = 0.4
SUBTASKS = (
    "AtomNum",
    "BondNum",
    "FunctionalGroup",
    "AddComponent",
    "DelComponent",
    "SubComponent",
    "LogP",
    "MR",
    "QED",
)
_MISSING = frozenset(
    {"#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"}
    | {"<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
)
"""What a data frame reads as absent: upstream's outputs pass through a CSV file."""


def _after_arrows(text: str) -> str:
    for arrow in ("=>", "->"):
        if arrow in text:
            text = text.rpartition(arrow)[2].strip()
    return text


def _from_json_s2(block: str) -> str | None:
    """The successor's rule: no other key is tried, and what is no text is nothing."""
    try:
        found = json.loads(block).get("molecule", block)
    except (ValueError, RecursionError):
        pieces = block.split(":", 2)
        if len(pieces) < 2:
            return None
        found = pieces[1].strip().strip("}").strip().strip('"').strip()
    return _after_arrows(found).strip() if isinstance(found, str) else None


def _from_json(block: str) -> str | None:
    try:
        found = json.loads(block)["molecule"]
        if isinstance(found, str):
            return _after_arrows(found)
        if isinstance(found, list):
            return None
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    pieces = block.split(":", 2)
    if len(pieces) < 2:
        return None
    return _after_arrows(pieces[1].strip().strip("}").strip().strip('"').strip())


def extract_smiles(text: str, parser: str) -> str | None:
    """The SMILES that the parser finds in `text`, or None where it gives up."""
    if parser == "direct":
        return text
    start = text.find("{")
    end = text.find("}", start) if start >= 0 else -1
    if end >= 0:
        block = text[start : end + 1].replace('""', '"')
        return _from_json_s2(block) if parser == "s2" else _from_json(block)
    bare = _after_arrows(text.replace("\n", " ").strip())
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    if parser == "s2":
        return bare.strip()
    return bare or None


def _atoms(row: Row, mol: Any, source: Any) -> bool:
    counts = count_atoms(mol)
    wanted = row["constraints"]
    return all(
        counts.get(number, 0) == int(wanted[name]) for name, number in ATOMIC_NUMBERS.items()
    )


def _bonds(row: Row, mol: Any, source: Any) -> bool:
    wanted = {kind: int(row["constraints"][kind]) for kind in BONDS}
    return all(count_bond(mol, kind) == count for kind, count in wanted.items() if count)


def _functional_groups(row: Row, mol: Any, source: Any) -> bool:
    wanted = row["constraints"]
    return all(count_group(mol, group) == int(wanted[group]) for group in GROUPS)


_CHANGES = {
    "AddComponent": (("added_group", 1),),
    "DelComponent": (("removed_group", -1),),
    "SubComponent": (("removed_group", -1), ("added_group", 1)),
}


def _components(row: Row, mol: Any, source: Any) -> bool:
    changes = [(str(row[name]).replace(" ", "_"), by) for name, by in _CHANGES[str(row["subtask"])]]
    return all(
        count_group(mol, group) == count_group(source, group) + change for group, change in changes
    )


def _measure(mol: Any, name: str) -> float:
    from rdkit.Chem import QED, rdMolDescriptors

    if name == "QED":
        qed: Any = QED.qed
        return float(qed(mol))
    log_p, refractivity = rdMolDescriptors.CalcCrippenDescriptors(mol)
    return float(log_p if name == "LogP" else refractivity)


def _property(row: Row, mol: Any, source: Any) -> bool:
    name, instruction = str(row["subtask"]), str(row["instruction"])
    before, after = _measure(source, name), _measure(mol, name)
    lower = "lower" in instruction or "decrease" in instruction
    return after < before if lower else after > before


_CHECKS: dict[str, Callable[[Row, Any, Any], bool]] = {
    "AtomNum": _atoms,
    "BondNum": _bonds,
    "FunctionalGroup": _functional_groups,
    "AddComponent": _components,
    "DelComponent": _components,
    "SubComponent": _components,
    "LogP": _property,
    "MR": _property,
    "QED": _property,
}


def satisfies(row: Row, mol: Any, source: Any) -> bool:
    """Whether `mol` does what the row asks; `source` is the molecule to edit, None elsewhere."""
    return _CHECKS[str(row["subtask"])](row, mol, source)


def _absent(found: str, text: str, parser: str) -> bool:
    """Whether a data frame would read nothing; the successor reads only the output through one."""
    if parser == "s2":
        return not text.strip()
    return not found.strip() or found in _MISSING


def _score(row: Row, text: str, parser: str, weight: float) -> ItemScore:
    found = extract_smiles(text, parser)
    parts = {"validity": 0.0, "accuracy": 0.0, "multi_fragment": 0.0, "cut": 0.0}
    if found is None or _absent(found, text, parser):
        return ItemScore(str(row["id"]), 0.0, False, None, parts)
    with quiet():
        mol, cut = read_smiles(found)
        parts["cut"] = float(cut)
        if mol is not None:
            parts |= _judged(row, mol)
    value = weight * parts["validity"] + (1.0 - weight) * parts["accuracy"]
    return ItemScore(str(row["id"]), value, mol is not None, found[:10_000], parts)


def _judged(row: Row, mol: Any) -> dict[str, float]:
    from rdkit.Chem import GetMolFrags

    source = read_smiles(str(row["molecule"])).mol if row.get("molecule") else None
    parts = {
        "validity": 1.0,
        "accuracy": float(satisfies(row, mol, source)),
        "multi_fragment": float(len(GetMolFrags(mol)) > 1),
    }
    if source is not None:
        parts["similarity"] = similarity(fingerprint(source), fingerprint(mol))
    return parts


class _Weighted:
    """Scores one item under one weight; an object rather than a closure, so that it pickles."""

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __call__(self, row: Row, text: str, parser: str) -> ItemScore:
        return _score(row, text, parser, self.weight)


def _subtask(row: Row) -> str:
    return str(row["subtask"])


def tomg_scorer(validity_weight: float = VALIDITY_WEIGHT) -> GroupMeanScorer:
    """The scorer whose item value is `validity_weight` x validity + the rest x accuracy.

    The metric is the mean of the nine sub-tasks. The share of outputs with more than one fragment
    is reported because the edits can be satisfied by adding a loose fragment.
    """
    return GroupMeanScorer(
        name="validity_accuracy",
        version="1",
        score=_Weighted(validity_weight),
        groups=SUBTASKS,
        group_of=_subtask,
        parsers=("strict", "direct", "s2", VERBATIM),
        parts=("validity", "accuracy", "multi_fragment", "cut"),
    )


SCORER = tomg_scorer()
