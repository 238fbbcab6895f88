"""SMILES: canonical forms and other spellings of molecules, by RDKit where it is installed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aidp.errors import AidpError
from aidp.parallel import map_chunks

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)


def canonical_series(series: pl.Series, *, num_proc: int = 1) -> pl.Series:
    """Canonical SMILES of each text; text that is no molecule stays as it is, stripped.

    Equal texts are worked on once.

    Raises:
        AidpError: RDKit is not installed.
    """
    import polars as pl

    distinct = series.unique(maintain_order=True).to_list()
    forms = canonical_forms(distinct, num_proc=num_proc)
    named = [
        form if form is not None else text.strip()
        for text, form in zip(distinct, forms, strict=True)
    ]
    return series.replace_strict(distinct, named, return_dtype=pl.String)


def canonical_forms(texts: Sequence[str], *, num_proc: int = 1) -> list[str | None]:
    """Canonical SMILES of each text, None where it is no molecule.

    Raises:
        AidpError: RDKit is not installed.
    """
    require_rdkit()
    return map_chunks(_canonical_chunk, texts, num_proc=num_proc)


def other_spellings(text: str, copies: int, seed: int) -> list[str]:
    """Up to `copies` SMILES of the same molecule in other atom orders, none equal to `text`.

    Fewer come back where the molecule has no more spellings.

    Raises:
        AidpError: `text` is no molecule, or RDKit is not installed.
    """
    chem = require_rdkit()
    with quiet():
        molecule = parse(chem, text)
        if molecule is None:
            raise AidpError(f"{text!r} is no molecule; use filter_valid_smiles first")
        tries = chem.MolToRandomSmilesVect(molecule, 4 * copies + 4, seed % 2**31)
    seen = {text}
    found: list[str] = []
    for spelling in tries:
        if spelling not in seen and len(found) < copies:
            seen.add(spelling)
            found.append(spelling)
    return found


def require_rdkit() -> Any:
    """RDKit's `Chem` module.

    Raises:
        AidpError: It is not installed.
    """
    try:
        from rdkit import Chem
    except ImportError:
        raise AidpError("molecules need RDKit, which is not installed; install 'rdkit'") from None
    return Chem


def parse(chem: Any, text: str) -> Any:
    """The molecule that `text` writes, None where it writes none; blank text is none."""
    stripped = text.strip()
    if not stripped or any(character.isspace() for character in stripped):
        return None
    return chem.MolFromSmiles(stripped)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep RDKit from writing about every invalid text."""
    from rdkit import rdBase

    block = rdBase.BlockLogs()
    try:
        yield
    finally:
        del block


def _canonical_chunk(texts: Sequence[str]) -> list[str | None]:
    chem = require_rdkit()
    with quiet():
        return [_canonical(chem, text) for text in texts]


def _canonical(chem: Any, text: str) -> str | None:
    molecule = parse(chem, text)
    return None if molecule is None else str(chem.MolToSmiles(molecule))
