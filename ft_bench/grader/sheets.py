"""Sheets: stored predictions of many cards as per-item statistics, for a board.

Nothing is generated or scored again: the item scores that lie beside a card are read, held against
the checksums on it, and put into the order of the test split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ft_bench import registry
from ft_bench.digest import file_sha256
from ft_bench.errors import DataMissing, FtBenchError
from ft_bench.outcome import read_items
from ft_bench.prepare import prepared, read_rows
from ft_bench.protocols import Row, Scorer
from ft_bench.record import Card, Score
from ft_bench.sheet import Sheet
from ft_bench.task import TaskSpec

__all__ = ["PREDICTIONS", "Sheets", "kept_name"]

PREDICTIONS = "predictions"
"""Beside cards that were copied to a board: the folder of their outputs, named by checksum."""


def kept_name(score: Score) -> str:
    """What the outputs of a score are called in a folder of predictions."""
    return f"{score.samples_sha256[:32]}.jsonl"


@dataclass(frozen=True)
class Sheets:
    """Reads sheets; `missing` holds, by run, why one could not be read.

    Args:
        public: the public cache.
        private: the folder with the test splits.
    """

    public: Path
    private: Path
    missing: dict[str, str] = field(default_factory=dict)
    _known: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    _rows: dict[str, list[Row]] = field(default_factory=dict)

    def of(self, cards: Mapping[Path, Card]) -> dict[str, Sheet]:
        """The sheets of cards by run id, as far as their predictions are here and fit.

        Args:
            cards: by the file that each was read from.
        """
        found = {}
        for path, card in cards.items():
            try:
                found[card.run_id] = self._sheet(path, card)
            except (OSError, FtBenchError, KeyError, ValueError) as cause:
                self.missing[card.run_id] = " ".join(str(cause).split())[:200]
        return found

    def _sheet(self, path: Path, card: Card) -> Sheet:
        spec = registry.task(card.task)
        scorer = registry.scorer(spec.scorer)
        if (spec.version, scorer.version) != (card.task_version, card.scorer_version):
            raise DataMissing(
                f"{card.task} is installed in version {spec.version} with scorer version "
                f"{scorer.version}, the card has {card.task_version} and {card.scorer_version}"
            )
        rows = self._split(spec)
        tuned, base = (
            self._statistics(path, score, rows, scorer) for score in (card.test, card.base_test)
        )
        return Sheet(tuned, base, scorer.value, (spec.metric.floor, spec.metric.ceiling))

    def _split(self, spec: TaskSpec) -> list[Row]:
        if spec.id not in self._rows:
            self._rows[spec.id] = list(read_rows(prepared(spec, self.public, self.private).test))
        return self._rows[spec.id]

    def _statistics(
        self, path: Path, score: Score, rows: list[Row], scorer: Scorer
    ) -> NDArray[np.float64]:
        """Of one model; those of a base that many runs share are read once."""
        known = self._known.get(score.samples_sha256)
        if known is None:
            items = read_items(_outputs(path, score))
            if [item.id for item in items] != [str(row["id"]) for row in rows]:
                raise ValueError(f"{score.samples} holds other items than the test split")
            known = scorer.statistics(rows, items)
            again = float(scorer.value(known.sum(axis=0)))
            if abs(again - score.value) > 1e-9:
                raise ValueError(f"{score.samples} gives {again:.6g}, the card {score.value:.6g}")
            self._known[score.samples_sha256] = known
        return known


def _outputs(path: Path, score: Score) -> Path:
    """Where the outputs of a score lie: in the run, or in the folder beside copied cards."""
    if not score.samples_sha256:
        raise DataMissing("the card names no predictions")
    root = path.parent.resolve()
    places = [(root / score.samples).resolve(), root / PREDICTIONS / kept_name(score)]
    for place in places:
        if place.is_relative_to(root) and place.is_file():
            if file_sha256(place) != score.samples_sha256:
                raise DataMissing(f"{score.samples} is not the file that was scored")
            return place
    raise DataMissing(f"{score.samples} is not there")
