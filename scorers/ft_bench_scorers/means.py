"""Means: the metric that is an average of item values, over all items or over sub-tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ft_bench.errors import UnknownName, UsageError
from ft_bench.protocols import ItemScore, Row
from ft_bench_scorers.reasoning import VERBATIM, answer_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["GroupMeanScorer", "MeanScorer", "ScoreOne", "check_call", "ratio"]

ScoreOne = Callable[[Row, str, str], ItemScore]
"""(row, answer text, parser name) to the item's score. Never raises for any text."""


def check_call(
    scorer: str, parsers: Sequence[str], parser: str, rows: Sequence[Row], outputs: Sequence[str]
) -> None:
    """Refuse a parser that is not there and outputs that do not pair with the rows.

    Raises:
        UnknownName: `parser` is none of `parsers`.
        UsageError: there are more or fewer outputs than rows.
    """
    if parser not in parsers:
        raise UnknownName("parser", parser, parsers, f"the parsers of scorer {scorer!r}")
    if len(rows) != len(outputs):
        raise UsageError(
            f"Scorer {scorer!r} got {len(outputs)} outputs for {len(rows)} rows; give one each."
        )


def ratio(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    """`top / bottom`, 0 where `bottom` is 0. Both of one shape, which is that of the result."""
    import numpy as np

    out = np.zeros(np.shape(top), dtype=np.float64)
    np.divide(top, bottom, out=out, where=np.asarray(bottom) != 0)
    return out


def _column(items: Sequence[ItemScore], part: str) -> list[float]:
    return [float(item.components.get(part, 0.0)) for item in items]


@dataclass(slots=True)
class MeanScorer:
    """The mean of the items' values.

    Args:
        name: the metric's name.
        version: moves whenever a value could change.
        score: scores one answer text.
        parsers: the parser names that `score` knows; `verbatim` strips no reasoning.
        parts: components of the items whose means are reported beside the metric.
    """

    name: str
    version: str
    score: ScoreOne
    parsers: tuple[str, ...] = ("strict", VERBATIM)
    parts: tuple[str, ...] = ()

    def score_items(
        self, rows: Sequence[Row], outputs: Sequence[str], *, parser: str = "strict"
    ) -> list[ItemScore]:
        """Score each output against its row, in order."""
        check_call(self.name, self.parsers, parser, rows, outputs)
        return [
            self.score(row, answer_text(output, parser), parser)
            for row, output in zip(rows, outputs, strict=True)
        ]

    def statistics(self, rows: Sequence[Row], items: Sequence[ItemScore]) -> NDArray[np.float64]:
        """Columns: value, 1, then one per part. Shape (items, 2 + parts)."""
        import numpy as np

        columns = [[item.value for item in items], [1.0] * len(items)]
        columns += [_column(items, part) for part in self.parts]
        return np.asarray(columns, dtype=np.float64).T

    def value(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean; 0 for an empty selection. Shape (..., 2 + parts) to (...)."""
        return ratio(sums[..., 0], sums[..., 1])

    def components(self, sums: NDArray[np.float64]) -> dict[str, float]:
        """The mean of each part, by its name."""
        means = ratio(sums[2:], sums[1] + 0.0 * sums[2:])
        return {part: float(mean) for part, mean in zip(self.parts, means, strict=True)}


@dataclass(slots=True)
class GroupMeanScorer:
    """The plain mean, over the groups that have items, of each group's mean value.

    Args:
        name: the metric's name.
        version: moves whenever a value could change.
        score: scores one answer text.
        groups: the groups (sub-tasks) in the order of the statistics.
        group_of: the group of a row.
        parsers: the parser names that `score` knows; `verbatim` strips no reasoning.
        parts: components of the items whose means over all items are reported.
        finish: what upstream does to the groups' means before it averages them (a rounding);
            gets and returns shape (..., groups).
    """

    name: str
    version: str
    score: ScoreOne
    groups: tuple[str, ...]
    group_of: Callable[[Row], str]
    parsers: tuple[str, ...] = ("strict", VERBATIM)
    parts: tuple[str, ...] = ()
    finish: Callable[[Any], Any] | None = None
    _index: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._index = {group: column for column, group in enumerate(self.groups)}

    def score_items(
        self, rows: Sequence[Row], outputs: Sequence[str], *, parser: str = "strict"
    ) -> list[ItemScore]:
        """Score each output against its row, in order."""
        check_call(self.name, self.parsers, parser, rows, outputs)
        return [
            self.score(row, answer_text(output, parser), parser)
            for row, output in zip(rows, outputs, strict=True)
        ]

    def statistics(self, rows: Sequence[Row], items: Sequence[ItemScore]) -> NDArray[np.float64]:
        """Columns: value per group, count per group, parts. Shape (items, 2 groups + parts)."""
        import numpy as np

        width = len(self.groups)
        table = np.zeros((len(items), 2 * width + len(self.parts)), dtype=np.float64)
        for line, (row, item) in enumerate(zip(rows, items, strict=True)):
            column = self._index[self.group_of(row)]
            table[line, column] = item.value
            table[line, width + column] = 1.0
        for column, part in enumerate(self.parts, start=2 * width):
            table[:, column] = _column(items, part)
        return table

    def group_means(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each group's mean, 0 where it has no items. Shape (..., k) to (..., groups)."""
        width = len(self.groups)
        means = ratio(sums[..., :width], sums[..., width : 2 * width])
        return means if self.finish is None else self.finish(means)

    def value(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean over groups with items; 0 for an empty selection. Shape (..., k) to (...)."""
        width = len(self.groups)
        present = sums[..., width : 2 * width] > 0
        total = (self.group_means(sums) * present).sum(axis=-1)
        return ratio(total, present.sum(axis=-1))

    def components(self, sums: NDArray[np.float64]) -> dict[str, float]:
        """The mean of each group that has items, then the mean of each part over all items."""
        width = len(self.groups)
        counts = sums[width : 2 * width]
        means = self.group_means(sums)
        named = {
            group: float(mean)
            for group, mean, count in zip(self.groups, means, counts, strict=True)
            if count > 0
        }
        total = max(float(counts.sum()), 1.0)
        for part, amount in zip(self.parts, sums[2 * width :], strict=True):
            named[part] = float(amount) / total
        return named
