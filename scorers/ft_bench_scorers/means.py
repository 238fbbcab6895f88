"""Means: the metric that is an average of item values, over all items or over sub-tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ft_bench.errors import UnknownName, UsageError
from ft_bench.protocols import ItemScore, Row
from ft_bench_scorers.reasoning import VERBATIM, answer_texts

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
        extras: components that some items have, whose means over those are reported.
        slices: kinds of rows whose own means are reported beside the metric.
        slices_of: the slices that a row belongs to.
    """

    name: str
    version: str
    score: ScoreOne
    parsers: tuple[str, ...] = ("strict", VERBATIM)
    parts: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    slices_of: Callable[[Row], tuple[str, ...]] | None = None

    def score_items(
        self, rows: Sequence[Row], outputs: Sequence[str], *, parser: str = "strict"
    ) -> list[ItemScore]:
        """Score each output against its row, in order."""
        check_call(self.name, self.parsers, parser, rows, outputs)
        score = self.score
        return [
            score(row, text, parser)
            for row, text in zip(rows, answer_texts(outputs, parser), strict=True)
        ]

    def statistics(self, rows: Sequence[Row], items: Sequence[ItemScore]) -> NDArray[np.float64]:
        """Columns: value, 1, parts, then values and counts by slice and by extra.

        Shape (items, 2 + parts + 2 slices + 2 extras).
        """
        import numpy as np

        columns = [[item.value for item in items], [1.0] * len(items)]
        columns += [_column(items, part) for part in self.parts]
        table = np.asarray(columns, dtype=np.float64).T
        blocks = [table]
        if self.slices_of:
            member = self._membership(rows, self.slices_of)
            blocks += [member * table[:, :1], member]
        if self.extras:
            there = [[extra in item.components for extra in self.extras] for item in items]
            blocks += [
                np.asarray([_column(items, extra) for extra in self.extras]).T,
                np.asarray(there, dtype=np.float64).reshape(len(items), len(self.extras)),
            ]
        return np.concatenate(blocks, axis=1)

    def _membership(
        self, rows: Sequence[Row], slices_of: Callable[[Row], tuple[str, ...]]
    ) -> NDArray[np.float64]:
        import numpy as np

        kinds: dict[tuple[str, ...], int] = {}
        codes = [kinds.setdefault(kind, len(kinds)) for kind in map(slices_of, rows)]
        cells = [[float(name in kind) for name in self.slices] for kind in kinds]
        table = np.asarray(cells, dtype=np.float64).reshape(len(kinds), len(self.slices))
        return np.asarray(table[codes])

    def value(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean; 0 for an empty selection. Shape (..., k) to (...)."""
        return ratio(sums[..., 0], sums[..., 1])

    def components(self, sums: NDArray[np.float64]) -> dict[str, float]:
        """The mean of each part, and of each slice and each extra that has items."""
        end = 2 + len(self.parts)
        total = max(float(sums[1]), 1.0)
        named = {part: float(sums[2 + at]) / total for at, part in enumerate(self.parts)}
        for names in (self.slices, self.extras):
            width = len(names)
            for at, name in enumerate(names, start=end):
                if sums[at + width] > 0:
                    named[name] = float(sums[at] / sums[at + width])
            end += 2 * width
        return named


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
        views: named means over some of the groups, reported beside the metric.
    """

    name: str
    version: str
    score: ScoreOne
    groups: tuple[str, ...]
    group_of: Callable[[Row], str]
    parsers: tuple[str, ...] = ("strict", VERBATIM)
    parts: tuple[str, ...] = ()
    finish: Callable[[Any], Any] | None = None
    views: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _index: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._index = {group: column for column, group in enumerate(self.groups)}

    def score_items(
        self, rows: Sequence[Row], outputs: Sequence[str], *, parser: str = "strict"
    ) -> list[ItemScore]:
        """Score each output against its row, in order."""
        check_call(self.name, self.parsers, parser, rows, outputs)
        score = self.score
        return [
            score(row, text, parser)
            for row, text in zip(rows, answer_texts(outputs, parser), strict=True)
        ]

    def statistics(self, rows: Sequence[Row], items: Sequence[ItemScore]) -> NDArray[np.float64]:
        """Columns: value per group, count per group, parts. Shape (items, 2 groups + parts)."""
        import numpy as np

        width = len(self.groups)
        table = np.zeros((len(items), 2 * width + len(self.parts)), dtype=np.float64)
        lines = np.arange(len(items))
        columns = np.asarray([self._index[self.group_of(row)] for row in rows], dtype=np.intp)
        table[lines, columns] = [item.value for item in items]
        table[lines, width + columns] = 1.0
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
        """The mean of each group that has items, the views, and each part over all items."""
        width = len(self.groups)
        counts = sums[width : 2 * width]
        means = self.group_means(sums)
        named = {
            group: float(mean)
            for group, mean, count in zip(self.groups, means, counts, strict=True)
            if count > 0
        }
        for view, members in self.views.items():
            chosen = [named[group] for group in members if group in named]
            named[view] = sum(chosen) / len(chosen) if chosen else 0.0
        total = max(float(counts.sum()), 1.0)
        for part, amount in zip(self.parts, sums[2 * width :], strict=True):
            named[part] = float(amount) / total
        return named
