"""Tasks: the contract test of a task; a plug-in inherits it.

```python
from ft_bench.testing.tasks import TaskContract


class TestMine(TaskContract):
    task = "my_task"
```
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from ft_bench import registry
from ft_bench.prepare import Prepared, prepare, read_rows
from ft_bench.task import TaskSpec
from ft_bench.validate import validate

__all__ = ["TaskContract"]


class TaskContract:
    """What a harness may expect of a task that is registered."""

    task: ClassVar[str]
    data_dir: ClassVar[Path | None] = None

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
        """The task, prepared in folders of its own."""
        folder = tmp_path_factory.mktemp("task")
        spec = registry.task(cls.task)
        return prepare(spec, folder / "cache", folder / "private", data_dir=cls.data_dir)

    @property
    def spec(self) -> TaskSpec:
        """What the task says of itself."""
        return registry.task(self.task)

    def test_it_describes_itself(self) -> None:
        """Words for agents, a scorer that exists, and a parser that the scorer has."""
        assert self.spec.brief.strip()
        assert self.spec.parser in registry.scorer(self.spec.scorer).parsers

    def test_it_keeps_every_check(self, data: Prepared) -> None:
        """Schema, counts, overlap, gold and empty answers, reference."""
        failed = [f"{check.name}: {check.seen}" for check in validate(data) if not check.holds]
        assert not failed

    def test_preparing_again_gives_the_same_rows(self, data: Prepared, tmp_path: Path) -> None:
        """A task is a pure function of its upstream files."""
        again = prepare(self.spec, tmp_path / "cache", tmp_path / "private", data_dir=self.data_dir)
        assert again.data_digest == data.data_digest

    def test_the_test_split_is_not_in_the_public_folder(self, data: Prepared) -> None:
        """It lies in the private one alone."""
        sealed = {str(row["id"]) for row in read_rows(data.test)}
        public = [path for path in data.train.parent.rglob("*.jsonl")]
        assert data.test not in public
        shown = {str(row["id"]) for path in public for row in read_rows(path)}
        assert not sealed & shown
