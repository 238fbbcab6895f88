"""Mechanism: the alignment of a predicted reaction mechanism with the gold one (oMeBench).

A dynamic programme over gold and predicted steps. A cell holds (total, partial, penalty). On the
diagonal, equal sub-types are a match: the gold weight is added to `total` where the two structures
are the same molecule, and weight x Tanimoto to `partial` where it is at least TAU. Every skip and
every pair of unequal sub-types costs EPSILON. Cells are compared as (total, partial, rank of the
last action, penalty), so `partial` only breaks ties; gains are added in forward order, as
upstream's floats are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal, NamedTuple

from ft_bench_scorers.molecules import fingerprint, read_smiles, similarity

__all__ = ["EPSILON", "TAU", "Action", "Alignment", "Step", "Structure", "align"]

TAU = 0.6
EPSILON = 1e-6

Action = Literal["match", "type_mismatch", "skip_gold", "skip_pred"]
_RANK: dict[str, int] = {"match": 3, "type_mismatch": 2, "skip_gold": 1, "skip_pred": 1}


class Structure:
    """One structure: a SMILES that is parsed once and canonicalised only where it must be."""

    def __init__(self, smiles: str) -> None:
        self.mol, self.cut = read_smiles(smiles)
        self.atoms = 0 if self.mol is None else int(self.mol.GetNumAtoms())

    @cached_property
    def canonical(self) -> str:
        """Canonical SMILES, "" for an unreadable or empty structure."""
        from rdkit import Chem

        return str(Chem.MolToSmiles(self.mol)) if self.atoms else ""

    @cached_property
    def bits(self) -> Any:
        """Morgan fingerprint."""
        return fingerprint(self.mol)

    def same(self, other: Structure) -> bool:
        """Whether both are readable and the same molecule; unlike sizes need no canonical form."""
        return 0 < self.atoms == other.atoms and self.canonical == other.canonical

    def likeness(self, other: Structure) -> float:
        """Tanimoto similarity where both are readable and it reaches TAU, else 0."""
        if self.mol is None or other.mol is None:
            return 0.0
        value = similarity(self.bits, other.bits)
        return value if value >= TAU else 0.0


class Step(NamedTuple):
    """One step: its sub-type (any JSON value in a prediction), structure and gold weight."""

    subtype: Any
    structure: Structure
    weight: float = 0.0


class Alignment(NamedTuple):
    """`total` and `partial` before rounding, and the actions from the first step to the last."""

    total: float
    partial: float
    actions: tuple[Action, ...]


class _Cell(NamedTuple):
    total: float
    partial: float
    penalty: float
    action: Action | None = None

    def skipped(self, action: Action) -> _Cell:
        return _Cell(self.total, self.partial, self.penalty - EPSILON, action)

    def key(self) -> tuple[float, float, int, float]:
        return (self.total, self.partial, _RANK[self.action or "match"], self.penalty)


def _diagonal(cell: _Cell, gold: Step, predicted: Step) -> _Cell:
    if gold.subtype != predicted.subtype:
        return cell.skipped("type_mismatch")
    total, partial = cell.total, cell.partial
    if gold.structure.same(predicted.structure):
        total += gold.weight
    likeness = gold.structure.likeness(predicted.structure)
    if likeness:
        partial += gold.weight * likeness
    return _Cell(total, partial, cell.penalty, "match")


def _table(gold: Sequence[Step], predicted: Sequence[Step]) -> list[list[_Cell]]:
    row = [_Cell(0.0, 0.0, 0.0)]
    for _ in predicted:
        row.append(row[-1].skipped("skip_pred"))
    table = [row]
    for wanted in gold:
        above = table[-1]
        row = [above[0].skipped("skip_gold")]
        for column, found in enumerate(predicted, start=1):
            candidates = (
                above[column].skipped("skip_gold"),
                row[-1].skipped("skip_pred"),
                _diagonal(above[column - 1], wanted, found),
            )
            row.append(max(candidates, key=_Cell.key))
        table.append(row)
    return table


def align(gold: Sequence[Step], predicted: Sequence[Step]) -> Alignment:
    """Align the two step lists. Time and memory are proportional to their product."""
    table = _table(gold, predicted)
    i, j = len(gold), len(predicted)
    end = table[i][j]
    actions: list[Action] = []
    while i or j:
        action = table[i][j].action
        if action is None:
            break
        actions.append(action)
        i -= action != "skip_pred"
        j -= action != "skip_gold"
    return Alignment(end.total, end.partial, tuple(reversed(actions)))
