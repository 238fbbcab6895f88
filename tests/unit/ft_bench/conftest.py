"""Rows and a prepared task for the tests of the core."""

from __future__ import annotations

from pathlib import Path

import pytest

from ft_bench.prepare import Prepared, prepare
from ft_bench.task import TaskSpec, load_task


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The toy task, prepared; not to be changed."""
    root: Path = tmp_path_factory.mktemp("toy")
    return prepare(toy_spec(), root / "cache", root / "private")


def toy_spec() -> TaskSpec:
    return load_task("ft_bench.testing.toy")
