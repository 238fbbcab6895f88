"""Scorer: LawBench's metric, the plain mean of twenty sub-task scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ft_bench.protocols import ItemScore, Row
from ft_bench_scorers.lawbench.proofreading import f_half, proofread
from ft_bench_scorers.lawbench.subtasks import (
    ABSTAINING,
    MEASURES,
    PROOFREADING,
    SUBTASKS,
    most_chars,
)
from ft_bench_scorers.means import check_call, ratio
from ft_bench_scorers.reasoning import VERBATIM, answer_texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LawBenchScorer"]

_WIDTH = len(SUBTASKS)
_PROOF = SUBTASKS.index(PROOFREADING)
_COLUMN = {subtask: column for column, subtask in enumerate(SUBTASKS)}
_BLOCKS = ("value", "weight", "abstained", "count")
_EDITS = ("right", "wrong", "missed")
_SHORT = 6_000
"""No sub-task cuts texts up to this length."""


@dataclass(slots=True)
class LawBenchScorer:
    """The mean over the sub-tasks that have items.

    Nineteen sub-task scores are means of item values; document proofreading's is F0.5 of summed
    edit counts, rounded to four decimals as upstream does.
    """

    name: str
    version: str
    parsers: tuple[str, ...] = ("strict", VERBATIM)

    def score_items(
        self, rows: Sequence[Row], outputs: Sequence[str], *, parser: str = "strict"
    ) -> list[ItemScore]:
        """Score each output by its row's sub-task; an abstention is not valid."""
        check_call(self.name, self.parsers, parser, rows, outputs)
        return [
            _score(row, text) for row, text in zip(rows, answer_texts(outputs, parser), strict=True)
        ]

    def statistics(self, rows: Sequence[Row], items: Sequence[ItemScore]) -> NDArray[np.float64]:
        """Value, weight, abstentions and count by sub-task, then edit counts and cuts.

        Shape (items, 4 x 20 + 4).
        """
        import numpy as np

        table = np.zeros((len(items), 4 * _WIDTH + 4), dtype=np.float64)
        lines = np.arange(len(items))
        columns = np.asarray([_COLUMN[row["subtask"]] for row in rows], dtype=np.intp)
        table[lines, columns] = [item.value for item in items]
        table[lines, columns + _WIDTH] = 1.0
        table[lines, columns + 3 * _WIDTH] = 1.0
        parts = [item.components for item in items if item.components]
        odd = np.asarray([at for at, item in enumerate(items) if item.components], dtype=np.intp)
        weights = np.asarray([part.get("weight", 1.0) for part in parts], dtype=np.float64)
        table[odd, columns[odd]] *= weights
        table[odd, columns[odd] + _WIDTH] = weights
        table[odd, columns[odd] + 2 * _WIDTH] = [part.get("abstained", 0.0) for part in parts]
        table[odd, -1] = [part.get("cut", 0.0) for part in parts]
        for line in np.flatnonzero(columns == _PROOF).tolist():
            table[line, 4 * _WIDTH : -1] = [items[line].components[name] for name in _EDITS]
        return table

    @staticmethod
    def _block(sums: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        start = _BLOCKS.index(name) * _WIDTH
        return sums[..., start : start + _WIDTH]

    def subtask_scores(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The score of each sub-task, 0 where it has no items. Shape (..., k) to (..., 20)."""
        import numpy as np

        scores = ratio(self._block(sums, "value"), self._block(sums, "weight"))
        edits = sums[..., 4 * _WIDTH :]
        right, wrong, missed = edits[..., 0], edits[..., 1], edits[..., 2]
        precision = np.where(wrong > 0, ratio(right, right + wrong), 1.0)
        recall = np.where(missed > 0, ratio(right, right + missed), 1.0)
        f_half = ratio(1.25 * precision * recall, 0.25 * precision + recall)
        present = self._block(sums, "count")[..., _PROOF] > 0
        scores[..., _PROOF] = np.where(present, np.round(f_half, 4), 0.0)
        return scores

    def value(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean over sub-tasks with items; 0 for none. Shape (..., k) to (...)."""
        present = self._block(sums, "count") > 0
        return ratio((self.subtask_scores(sums) * present).sum(axis=-1), present.sum(axis=-1))

    def components(self, sums: NDArray[np.float64]) -> dict[str, float]:
        """Each sub-task's score and, where upstream counts them, its share of abstentions."""
        counts = self._block(sums, "count")
        scores = self.subtask_scores(sums)
        rates = ratio(self._block(sums, "abstained"), counts)
        present = [at for at in range(_WIDTH) if counts[at] > 0]
        named = {SUBTASKS[at]: float(scores[at]) for at in present}
        named |= {
            f"{SUBTASKS[at]}/abstention_rate": float(rates[at])
            for at in present
            if SUBTASKS[at] in ABSTAINING
        }
        return {**named, "cut": float(sums[-1]) / max(float(counts.sum()), 1.0)}


def _score(row: Row, text: str) -> ItemScore:
    subtask = row["subtask"]
    cut = len(text) > _SHORT and len(text) > most_chars(subtask)
    if cut:
        text = text[: most_chars(subtask)]
    if subtask == PROOFREADING:
        return _proof(row, text, cut)
    value, abstained, found = MEASURES[subtask](text, row["reference"])
    if value is None or abstained or cut:
        parts = {"weight": float(value is not None), "abstained": float(abstained)}
        parts["cut"] = float(cut)
        return ItemScore(row["id"], value or 0.0, not abstained, found, parts)
    return ItemScore(row["id"], value, bool(text) and not text.isspace(), found)


def _proof(row: Row, text: str, cut: bool) -> ItemScore:
    edits, right, wrong, missed = proofread(row, text)
    parts = {"right": float(right), "wrong": float(wrong), "missed": float(missed)}
    parts["cut"] = float(cut)
    value = f_half(right, wrong, missed)
    return ItemScore(row["id"], value, bool(text.strip()), [list(edit) for edit in edits], parts)
