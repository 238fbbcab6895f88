"""Mini's rows: made here, the same on every machine with the same RDKit, in a few seconds."""

from __future__ import annotations

from itertools import islice
from random import Random
from typing import Any

from ft_bench.protocols import RowReader, TaskData
from ft_bench.tasks.mini.faults import answer_of, near_copies, pool
from ft_bench.tasks.mini.molecules import groups_of, molecules

__all__ = ["prepare"]

SEED = 11
ATOMS = (4, 14)
VALIDATION, TEST, POOL = 400, 1_000, 2_400
COPIED = 40

_Drawn = list[tuple[str, Any, tuple[str, ...]]]


def prepare(source: RowReader) -> TaskData:
    """Three splits without a molecule in common, but for the near-copies in the pool.

    Args:
        source: not read; this task has no upstream files.
    """
    rng = Random(SEED)
    made: _Drawn = [
        (smiles, molecule, groups_of(molecule))
        for smiles, molecule in islice(molecules(rng, ATOMS), VALIDATION + TEST + POOL)
    ]
    validation, test = made[:VALIDATION], made[VALIDATION : VALIDATION + TEST]
    rows = pool(made[VALIDATION + TEST :], rng) + near_copies(validation[:COPIED], rng)
    rng.shuffle(rows)
    return TaskData(
        train=[
            {"id": f"train-{n}", "prompt": prompt, "answer": answer, "source": origin}
            for n, (prompt, answer, origin) in enumerate(rows)
        ],
        validation=_clean("validation", validation),
        test=_clean("test", test),
        notes=("The training pool has faults on purpose; docs/design/mini.md lists them.",),
    )


def _clean(split: str, drawn: _Drawn) -> list[dict[str, Any]]:
    return [
        {"id": f"{split}-{number}", "prompt": smiles, "answer": answer_of(groups), "source": ""}
        for number, (smiles, _, groups) in enumerate(drawn)
    ]
