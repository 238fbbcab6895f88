"""Rescore: a stored score again, from the outputs that lie beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ft_bench.digest import file_sha256
from ft_bench.outcome import read_samples, score_of
from ft_bench.protocols import Row, Scorer
from ft_bench.record import Score
from ft_bench.task import TaskSpec

__all__ = ["Rescored", "rescore"]

_EQUAL = 1e-9


@dataclass(frozen=True, slots=True)
class Rescored:
    """A score made again; `why` says how it differs from the stored one, "" where it does not.

    `statistics` has shape (items, k), None where there was nothing to score.
    """

    why: str
    statistics: NDArray[np.float64] | None = None


def rescore(
    root: Path, stored: Score, spec: TaskSpec, scorer: Scorer, rows: Sequence[Row]
) -> Rescored:
    """Score the stored outputs anew and compare value, interval, counts and checksum.

    Args:
        root: the run's folder.
        stored: what the journal or the card says.
        spec: the task as installed.
        scorer: its scorer as installed.
        rows: the split that `stored` names, in order.

    Raises:
        FileNotFoundError: where the outputs were pruned.
        ValueError: where the file of outputs cannot be read.
    """
    path = root / stored.samples
    if not path.resolve().is_relative_to(root.resolve()):
        return Rescored(f"its samples lie outside the run ({stored.samples!r})")
    if file_sha256(path) != stored.samples_sha256:
        return Rescored(f"{stored.samples} is not the file that was scored")
    lines = read_samples(path)
    if [str(line["id"]) for line in lines] != [str(row["id"]) for row in rows]:
        return Rescored(f"{stored.samples} holds other items than the split")
    items = scorer.score_items(rows, [line["output"] for line in lines], parser=stored.parser)
    again = score_of(spec, scorer, rows, items, stored.split)
    return Rescored(_difference(stored, again), scorer.statistics(rows, items))


def _difference(stored: Score, again: Score) -> str:
    pairs = {
        "value": (stored.value, again.value),
        "low": (stored.ci.low, again.ci.low),
        "high": (stored.ci.high, again.ci.high),
        "n": (stored.n, again.n),
        "invalid": (stored.invalid, again.invalid),
    }
    wrong = [
        f"{name} {before:.6g} against {after:.6g}"
        for name, (before, after) in pairs.items()
        if abs(before - after) > _EQUAL
    ]
    return f"recomputed otherwise: {', '.join(wrong)}" if wrong else ""
