"""TOMG groups: the properties of a molecule that TOMG-Bench counts and compares.

The SMARTS are those of the benchmark's definition (they differ from RDKit's own fragment counts);
matches are counted with RDKit's default, unique matches.
"""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["ATOMIC_NUMBERS", "BONDS", "GROUPS", "count_atoms", "count_bond", "count_group"]

ATOMIC_NUMBERS = {
    "carbon": 6,
    "oxygen": 8,
    "nitrogen": 7,
    "sulfur": 16,
    "fluorine": 9,
    "chlorine": 17,
    "bromine": 35,
    "iodine": 53,
    "phosphorus": 15,
    "boron": 5,
    "silicon": 14,
    "selenium": 34,
    "tellurium": 52,
    "arsenic": 33,
    "antimony": 51,
    "bismuth": 83,
    "polonium": 84,
}
BONDS = ("single", "double", "triple", "rotatable", "aromatic")
GROUPS = {
    "benzene_ring": "[cR1]1[cR1][cR1][cR1][cR1][cR1]1",
    "hydroxyl": "[OX2H]",
    "anhydride": "[CX3](=[OX1])[OX2][CX3](=[OX1])",
    "aldehyde": "[CX3H1](=O)[#6]",
    "ketone": "[#6][CX3](=O)[#6]",
    "carboxyl": "[CX3](=O)[OX2H1]",
    "ester": "[#6][CX3](=O)[OX2H0][#6]",
    "amide": "[NX3][CX3](=[OX1])[#6]",
    "amine": "[NX3;H2,H1;!$(NC=O)]",
    "nitro": "[$([NX3](=O)=O),$([NX3+](=O)[O-])][!#8]",
    "halo": "[F,Cl,Br,I]",
    "nitrile": "[NX1]#[CX2]",
    "thiol": "[#16X2H]",
    "sulfide": "[#16X2H0]",
    "disulfide": "[#16X2H0][#16X2H0]",
    "sulfoxide": "[$([#16X3]=[OX1]),$([#16X3+][OX1-])]",
    "sulfone": "[$([#16X4](=[OX1])=[OX1]),$([#16X4+2]([OX1-])[OX1-])]",
    "borane": "[BX3]",
}
"""The 18 groups that are checked; thioether, a column of the data, is not one of them."""


@cache
def _pattern(group: str) -> Any:
    from rdkit import Chem

    return Chem.MolFromSmarts(GROUPS[group])


def count_group(mol: Any, group: str) -> int:
    """How many groups of this name `mol` has; sulfides are those that are no disulfides."""
    count = len(mol.GetSubstructMatches(_pattern(group)))
    if group == "sulfide":
        count -= len(mol.GetSubstructMatches(_pattern("disulfide")))
    return count


def count_atoms(mol: Any) -> dict[int, int]:
    """How many atoms of each atomic number `mol` has, hydrogens left implicit."""
    counts: dict[int, int] = {}
    for atom in mol.GetAtoms():
        number = atom.GetAtomicNum()
        counts[number] = counts.get(number, 0) + 1
    return counts


def count_bond(mol: Any, kind: str) -> int:
    """How many bonds of one of the BONDS `mol` has, after RDKit's aromaticity."""
    from rdkit import Chem
    from rdkit.Chem import rdMolDescriptors

    if kind == "rotatable":
        return int(rdMolDescriptors.CalcNumRotatableBonds(mol))
    wanted = getattr(Chem.BondType, kind.upper())
    return sum(bond.GetBondType() == wanted for bond in mol.GetBonds())
