"""Molecules: operators on columns of SMILES."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from aidp.effect import Effect, keeping
from aidp.errors import AidpError
from aidp.fingerprint import digest_json
from aidp.operators import operator
from aidp.schema import set_column, strings
from aidp.smiles import canonical_forms, other_spellings


@operator(each_row=True, example='filter_valid_smiles(data, column="answer")')
def filter_valid_smiles(table: pa.Table, *, column: str = "smiles", num_proc: int = 1) -> Effect:
    """Keep rows whose text in `column` RDKit reads as a molecule.

    A null, a blank text and text with white space inside are no molecules.

    Args:
        table: The rows.
        column: The column of SMILES.
        num_proc: Processes.

    Raises:
        AidpError: RDKit is not installed, or the column is missing or holds no text.
    """
    values = strings(table, column, nulls=True).to_pylist()
    distinct = list(dict.fromkeys(value for value in values if value is not None))
    forms = canonical_forms(distinct, num_proc=num_proc)
    valid = {text for text, form in zip(distinct, forms, strict=True) if form is not None}
    mask = np.fromiter((value in valid for value in values), np.bool_, len(values))
    return keeping(mask, "no molecule")


@operator(each_row=True, example='augment_smiles(data, column="answer", copies=2, seed=0)')
def augment_smiles(
    table: pa.Table,
    *,
    column: str = "smiles",
    copies: int = 1,
    also: list[str] | None = None,
    seed: int = 0,
) -> Effect:
    """Add up to `copies` rows after each row, with another atom order of the same molecule.

    The other columns are repeated. A molecule with fewer spellings gets fewer copies. The
    spellings of a molecule depend on `seed` and on its text alone, not on its position.

    Args:
        table: The rows.
        column: The column of SMILES that is respelt.
        copies: New rows for each row, at least 1.
        also: Columns of text in which the old spelling is replaced by the new one too, for
            example the prompt that quotes the molecule.
        seed: Chooses the atom orders.

    Raises:
        AidpError: A row holds no molecule, RDKit is not installed, `copies` is below 1.
    """
    if copies < 1:
        raise AidpError(f"copies is {copies}, expected at least 1")
    values = strings(table, column).to_pylist()
    spelt: list[str] = []
    origin: list[int] = []
    for row, text in enumerate(values):
        respelt = _respell(text, copies, seed, column, row)
        spelt.extend([text, *respelt])
        origin.extend([row] * (1 + len(respelt)))
    grown = table.take(pa.array(origin))
    old = [values[row] for row in origin]
    for name in also or []:
        quoted = strings(grown, name).to_pylist()
        swapped = [q.replace(a, b) for q, a, b in zip(quoted, old, spelt, strict=True)]
        grown = set_column(grown, name, pa.array(swapped, table.schema.field(name).type))
    grown = set_column(grown, column, pa.array(spelt, table.schema.field(column).type))
    return Effect(table=grown, added=len(origin) - table.num_rows)


def _respell(text: str, copies: int, seed: int, column: str, row: int) -> list[str]:
    try:
        return other_spellings(text, copies, int(digest_json([seed, text])[:8], 16))
    except AidpError as error:
        raise AidpError(error.message, column=column, row=row) from None
