"""Molecules: SMILES read with RDKit within limits, and fingerprints of them.

RDKit is imported on first use. Its complaints about unreadable SMILES are not passed on: an
unreadable molecule is an ordinary outcome here.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

__all__ = ["MAX_SMILES_CHARS", "Molecule", "fingerprint", "quiet", "read_smiles", "similarity"]

MAX_SMILES_CHARS = 6_000
"""Longer SMILES are not parsed. RDKit's ring search is the reason: it is no longer linear there."""


class Molecule(NamedTuple):
    """What RDKit made of a text: `mol` is None where it is no molecule; `cut` where a limit bit."""

    mol: Any
    cut: bool


def quiet() -> Any:
    """A context in which RDKit writes nothing to stderr."""
    from rdkit import rdBase

    return rdBase.BlockLogs()


def read_smiles(text: str) -> Molecule:
    """Parse with RDKit's defaults: white space ends the SMILES, the rest is a name.

    A text over MAX_SMILES_CHARS is cut there; where that cuts the SMILES itself, nothing is parsed.
    """
    from rdkit import Chem

    cut = len(text) > MAX_SMILES_CHARS
    if cut:
        text = text[:MAX_SMILES_CHARS]
        if len(text.split(None, 1)) < 2:
            return Molecule(None, True)
    if "\0" in text:
        return Molecule(None, cut)
    return Molecule(Chem.MolFromSmiles(text.encode("utf-8", "replace").decode("utf-8")), cut)


@cache
def _generator() -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)


def fingerprint(mol: Any) -> Any:
    """Morgan bit fingerprint: radius 2, 2048 bits, no chirality, no features."""
    return _generator().GetFingerprint(mol)


def similarity(first: Any, second: Any) -> float:
    """Tanimoto similarity of two fingerprints."""
    from rdkit.DataStructs import TanimotoSimilarity

    return float(TanimotoSimilarity(first, second))
