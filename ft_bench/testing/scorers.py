"""Scorers: the contract test of a scorer; a plug-in inherits it.

```python
from ft_bench.testing.scorers import ScorerContract


class TestMine(ScorerContract):
    scorer = "my_scorer"
    rows = ({"id": "1", "prompt": "2 + 2", "answer": "4"}, ...)
```
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pytest

from ft_bench import registry
from ft_bench.protocols import Row, Scorer

__all__ = ["ODD_OUTPUTS", "ScorerContract"]

ODD_OUTPUTS = (
    "",
    " \n\t ",
    "no answer at all",
    "\x00\ufeff\u202e",
    "\ud83d\ude00" * 50,
    '{"a": [1, {"b": null}',
    "1e999 -inf nan",
    "word " * 2000,
)
"""What models say when they do not answer."""


class ScorerContract:
    """What a harness may expect of a scorer: it never raises, and its sums are a metric."""

    scorer: ClassVar[str]
    rows: ClassVar[Sequence[Row]]

    @property
    def made(self) -> Scorer:
        """The scorer."""
        return registry.scorer(self.scorer)

    def test_it_has_a_name_a_version_and_a_parser(self) -> None:
        """All of them texts; a version moves whenever a score could."""
        assert self.made.name
        assert self.made.version
        assert self.made.parsers

    @pytest.mark.parametrize("output", ODD_OUTPUTS)
    def test_it_never_raises_for_any_output(self, output: str) -> None:
        """And gives one item for each row, under the row's id."""
        for parser in self.made.parsers:
            items = self.made.score_items(self.rows, [output] * len(self.rows), parser=parser)
            assert [item.id for item in items] == [row["id"] for row in self.rows]
            assert np.isfinite(self.made.statistics(self.rows, items)).all()

    def test_statistics_add_up(self) -> None:
        """The metric of all rows follows from the sums of any two parts."""
        outputs = [str(row["answer"]) for row in self.rows]
        items = self.made.score_items(self.rows, outputs, parser=self.made.parsers[0])
        statistics = self.made.statistics(self.rows, items)
        assert statistics.shape[0] == len(self.rows)
        half = len(self.rows) // 2
        parts = statistics[:half].sum(axis=0) + statistics[half:].sum(axis=0)
        whole = statistics.sum(axis=0)
        assert float(self.made.value(whole)) == pytest.approx(float(self.made.value(parts)))

    def test_a_matrix_of_sums_gives_a_value_each(self) -> None:
        """A bootstrap is one call."""
        outputs = [str(row["answer"]) for row in self.rows]
        items = self.made.score_items(self.rows, outputs, parser=self.made.parsers[0])
        sums = self.made.statistics(self.rows, items).sum(axis=0)
        values = self.made.value(np.stack([sums, sums, sums]))
        assert values.shape == (3,)
        assert values == pytest.approx(float(self.made.value(sums)))

    def test_the_same_outputs_get_the_same_items(self) -> None:
        """No clock, no global random state."""
        outputs = [str(row["answer"]) for row in self.rows]
        first, second = (self.made.score_items(self.rows, outputs) for _ in range(2))
        assert first == second
