"""Molecules: random, valid, small ones, grown atom by atom, and the functional groups they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

__all__ = ["GROUPS", "canonical", "groups_of", "grow", "molecules", "respelt"]

GROUPS: dict[str, str] = {
    "benzene ring": "c1ccccc1",
    "hydroxyl": "[OX2H]",
    "amine": "[NX3;!$(N-C=O)]",
    "thiol": "[SX2H]",
    "halogen": "[F,Cl,Br]",
    "ether": "[OX2;H0]([#6;!$(C=O)])[#6;!$(C=O)]",
    "carbonyl": "[CX3]=[OX1]",
}
"""The labels in the order of an answer, each with the SMARTS that decides it.

An ester's oxygen is no ether and an amide's nitrogen no amine, so a label is more than a letter.
"""

_RING = "ring"
_VALENCE = {"C": 4, "N": 3, "O": 2, "S": 2, "F": 1, "Cl": 1, "Br": 1}
_FIRST = {"C": 60, _RING: 25, "N": 5, "O": 5, "S": 5}
_NEXT = {"C": 46, "=O": 12, "O": 15, "N": 10, "S": 7, "F": 3, "Cl": 4, "Br": 2}
_NEXT_AND_RING = _NEXT | {_RING: 6}
_RING_ATOMS = 6


@dataclass(slots=True, eq=False)
class _Atom:
    """An atom with what hangs on it; a benzene ring is the atom that was attached, with `ring`."""

    symbol: str
    free: int
    hanging: list[tuple[str, _Atom]] = field(default_factory=list)
    ring: list[_Atom] = field(default_factory=list)


def grow(rng: Random, atoms: int) -> str:
    """A SMILES with about `atoms` heavy atoms (a ring may add up to five more).

    Bonds between two atoms other than carbon are never made, so that what grows is stable enough
    to look like chemistry.
    """
    root, open_sites = _new(_draw(rng, _FIRST))
    count = _RING_ATOMS if root.ring else 1
    while count < atoms and open_sites:
        site = rng.choice(open_sites)
        kinds = _NEXT_AND_RING if atoms - count >= _RING_ATOMS else _NEXT
        kind = _draw(rng, kinds) if site.symbol in "Cc" else "C"
        bond = "=" if kind == "=O" else ""
        atom, sites = _new(kind.lstrip("="))
        order = 2 if bond else 1
        if min(site.free, atom.free) < order:
            continue
        site.hanging.append((bond, atom))
        site.free -= order
        atom.free -= order
        count += _RING_ATOMS if atom.ring else 1
        open_sites = [place for place in [*open_sites, *sites] if place.free > 0]
    return _written(root, iter(range(1, 10)))


def _new(kind: str) -> tuple[_Atom, list[_Atom]]:
    """An atom, or a ring, and the places where more may grow."""
    if kind != _RING:
        atom = _Atom(kind, _VALENCE[kind])
        return atom, [atom]
    members = [_Atom("c", 1) for _ in range(_RING_ATOMS)]
    members[0].ring = members
    return members[0], members


def _draw(rng: Random, weights: dict[str, int]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def _written(atom: _Atom, digits: Iterator[int]) -> str:
    if not atom.ring:
        return atom.symbol + _branches(atom, digits, last=True)
    digit = next(digits)
    first, *inner, end = atom.ring
    text = f"c{digit}" + _branches(first, digits, last=False)
    text += "".join("c" + _branches(member, digits, last=False) for member in inner)
    return text + f"c{digit}" + _branches(end, digits, last=True)


def _branches(atom: _Atom, digits: Iterator[int], last: bool) -> str:
    texts = [bond + _written(child, digits) for bond, child in atom.hanging]
    tail = texts.pop() if last and texts else ""
    return "".join(f"({text})" for text in texts) + tail


def molecules(rng: Random, atoms: tuple[int, int]) -> Iterator[tuple[str, Any]]:
    """Distinct molecules without end: canonical SMILES and the RDKit molecule.

    Args:
        rng: the only source of chance.
        atoms: fewest and most heavy atoms.
    """
    from rdkit import Chem, rdBase

    seen: set[str] = set()
    fewest, most = atoms
    while True:
        with rdBase.BlockLogs():
            molecule = Chem.MolFromSmiles(grow(rng, rng.randint(fewest, most)))
        if molecule is None or not fewest <= molecule.GetNumHeavyAtoms() <= most:
            continue
        smiles = Chem.MolToSmiles(molecule)
        if smiles not in seen:
            seen.add(smiles)
            yield smiles, molecule


@cache
def _patterns() -> tuple[tuple[str, Any], ...]:
    from rdkit import Chem

    return tuple((name, Chem.MolFromSmarts(smarts)) for name, smarts in GROUPS.items())


def groups_of(molecule: Any) -> tuple[str, ...]:
    """The functional groups of an RDKit molecule, in the order of `GROUPS`."""
    return tuple(name for name, pattern in _patterns() if molecule.HasSubstructMatch(pattern))


def canonical(smiles: str) -> str | None:
    """RDKit's canonical SMILES, None for text that is no molecule."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    return None if molecule is None else str(Chem.MolToSmiles(molecule))


def respelt(molecule: Any, rng: Random) -> str:
    """Another SMILES of the same molecule, written from an atom chosen by chance."""
    from rdkit import Chem

    order = list(range(molecule.GetNumAtoms()))
    rng.shuffle(order)
    shuffled = Chem.RenumberAtoms(molecule, order)
    return str(Chem.MolToSmiles(shuffled, canonical=False))
