"""Readers of upstream files for the tests of `prepare`: hand-made ones, and the shared folder."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from ft_bench.protocols import TaskData
from ft_bench.task import TaskSpec, load_task

ROOT = Path(__file__).resolve().parents[3]
SHARED = Path(os.environ.get("FT_BENCH_SHARED", ROOT.parent / "shared"))


class Folder:
    """A folder of upstream files as a RowReader: plain files, or `.gz` ones once unpacked."""

    def __init__(self, root: Path, scratch: Path, sha256: dict[str, str] | None = None) -> None:
        self.root, self.scratch, self.sha256 = root, scratch, sha256

    def has(self, name: str) -> bool:
        return (self.root / name).exists() or (self.root / f"{name}.gz").exists()

    def path(self, name: str) -> Path:
        found = self.root / name
        if not found.exists():
            found = self.scratch / name
            found.parent.mkdir(parents=True, exist_ok=True)
            found.write_bytes(gzip.decompress((self.root / f"{name}.gz").read_bytes()))
        if self.sha256 is not None:
            assert hashlib.sha256(found.read_bytes()).hexdigest() == self.sha256[name], name
        return found


@pytest.fixture
def hand_made(tmp_path: Path) -> Callable[[dict[str, str]], Folder]:
    """Write the given files and read them back as `prepare` does."""

    def write(files: dict[str, str]) -> Folder:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(text.encode("utf-8"))
        return Folder(tmp_path, tmp_path)

    return write


@pytest.fixture(scope="session")
def published(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], tuple[TaskSpec, TaskData]]:
    """The specification and the rows of a task, prepared from the shared files; read once each."""

    @cache
    def prepared(task: str) -> tuple[TaskSpec, TaskData]:
        import importlib

        root = SHARED / "data" / task
        if not root.is_dir():
            pytest.skip("needs the upstream files; set FT_BENCH_SHARED")
        spec = load_task(f"ft_bench.tasks.{task}")
        module = importlib.import_module(f"ft_bench.tasks.{task}.prepare")
        digests = {file.name: file.sha256 for file in spec.sources}
        return spec, module.prepare(Folder(root, tmp_path_factory.mktemp(task), digests))

    return prepared


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """The path of one shared upstream file, or a skip where it is absent."""

    def find(name: str) -> Path:
        path = SHARED / "data" / name
        if not path.exists():
            pytest.skip("needs the upstream files; set FT_BENCH_SHARED")
        return path

    return find
