"""Multilabel: Macro-F1 of the positive class over a fixed list of labels.

For each label F1 = 2 TP / (2 TP + FP + FN), 0 where that denominator is 0; the metric is the mean
over all labels, so a label with no gold and no prediction counts as 0 and a perfect answer to a
small selection may stay under 1. This equals scikit-learn's `f1_score(Y, P, average="macro")`.
Other published measures of the same answers are reported beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ft_bench.protocols import ItemScore, Row
from ft_bench_scorers.means import check_call, ratio
from ft_bench_scorers.reasoning import VERBATIM, answer_texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Labels", "MultilabelScorer", "set_f1"]

Labels = tuple[list[str], bool]
"""The labels that a parser found, each once and in order, and whether there was an answer."""


def set_f1(found: Collection[str], gold: Set[str]) -> float:
    """2 |found & gold| / (|found| + |gold|); 1 where both are empty. `found` has no repetition."""
    size = len(found) + len(gold)
    return 2.0 * len(gold & set(found)) / size if size else 1.0


def _over(top: float, bottom: float) -> float:
    return float(top / bottom) if bottom else 0.0


@dataclass(slots=True)
class MultilabelScorer:
    """Macro-F1 over `labels`.

    Args:
        name: the metric's name.
        version: moves whenever a value could change.
        labels: every label, in the order of the statistics.
        gold: the labels of a row.
        parse: (answer text, parser name) to the labels found and whether anything was found.
        parsers: the parser names that `parse` knows; `verbatim` strips no reasoning.
    """

    name: str
    version: str
    labels: tuple[str, ...]
    gold: Callable[[Row], Set[str]]
    parse: Callable[[str, str], Labels]
    parsers: tuple[str, ...] = ("strict", "lenient", VERBATIM)

    def score_items(
        self, rows: Sequence[Row], outputs: Sequence[str], *, parser: str = "strict"
    ) -> list[ItemScore]:
        """Score each output: `value` is the F1 of its label set, `prediction` the label list.

        An output without an answer is worth 0, also where the gold set is empty.
        """
        check_call(self.name, self.parsers, parser, rows, outputs)
        parse, gold = self.parse, self.gold
        items = []
        for row, text in zip(rows, answer_texts(outputs, parser), strict=True):
            found, valid = parse(text, parser)
            value = set_f1(found, gold(row)) if valid else 0.0
            items.append(ItemScore(row["id"], value, valid, found))
        return items

    def statistics(self, rows: Sequence[Row], items: Sequence[ItemScore]) -> NDArray[np.float64]:
        """TP, FP and FN per label; then per item 1, F1, exactness, precision and recall.

        Shape (items, 3 labels + 5).
        """
        import numpy as np

        truth = self._indicator([self.gold(row) for row in rows])
        found = self._indicator([item.prediction for item in items])
        hit = truth & found
        wrong, missed = found ^ hit, truth ^ hit
        hits, given, wanted = (
            cells.sum(axis=1).astype(np.float64) for cells in (hit, found, truth)
        )
        each = np.stack(
            [
                np.ones(len(items)),
                ratio(2.0 * hits, given + wanted),
                ~(wrong | missed).any(axis=1),
                ratio(hits, given),
                ratio(hits, wanted),
            ],
            axis=1,
        )
        return np.concatenate([hit, wrong, missed, each], axis=1)

    def _indicator(self, sets: Sequence[Collection[str]]) -> NDArray[np.bool_]:
        import numpy as np

        width = len(self.labels)
        place = {label: column for column, label in enumerate(self.labels)}
        cells = [
            line + place[label]
            for line, chosen in zip(range(0, width * len(sets), width), sets, strict=True)
            for label in chosen
            if label in place
        ]
        table = np.zeros(len(sets) * width, dtype=np.bool_)
        table[cells] = True
        return table.reshape(len(sets), width)

    def label_f1(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """F1 of each label. Shape (..., k) to (..., labels)."""
        width = len(self.labels)
        hit = 2.0 * sums[..., :width]
        return ratio(hit, hit + sums[..., width : 2 * width] + sums[..., 2 * width : 3 * width])

    def value(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Macro-F1. Shape (..., k) to (...)."""
        import numpy as np

        return np.asarray(self.label_f1(sums).mean(axis=-1), dtype=np.float64)

    def components(self, sums: NDArray[np.float64]) -> dict[str, float]:
        """F1 of each label by its name, and the other averages that are published for such tasks.

        `micro_f1`, `weighted_f1` (by gold counts), `samples_f1` and `subset_accuracy` are
        scikit-learn's; `blue_f1` is the harmonic mean of the items' mean precision and recall;
        `two_class_macro_f1` also averages the F1 of each label's absence.
        """
        width = len(self.labels)
        hit, wrong, missed = (sums[at * width : (at + 1) * width] for at in range(3))
        items, f1, exact, precision, recall = map(float, sums[3 * width :])
        total = max(items, 1.0)
        each = self.label_f1(sums)
        absent = 2.0 * (items - hit - wrong - missed)
        both = (each + ratio(absent, absent + wrong + missed)) / 2.0
        return {
            **dict(zip(self.labels, map(float, each), strict=True)),
            "micro_f1": _over(2.0 * hit.sum(), (2.0 * hit + wrong + missed).sum()),
            "weighted_f1": _over((each * (hit + missed)).sum(), (hit + missed).sum()),
            "samples_f1": f1 / total,
            "subset_accuracy": exact / total,
            "blue_precision": precision / total,
            "blue_recall": recall / total,
            "blue_f1": _over(2.0 * precision * recall / total, precision + recall),
            "two_class_macro_f1": float(both.mean()),
        }
