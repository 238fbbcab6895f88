"""Prepare: from upstream files to the three splits of a task.

Train and validation go to the public cache, test to the private folder; a manifest with checksums
lies beside each. A task's own `prepare.py` is a pure function; this module gives it verified
files and writes what it returns.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ft_bench.digest import canonical_json, digest, file_sha256
from ft_bench.download import Progress, fetch
from ft_bench.errors import ChecksumMismatch, DataMissing, PrerequisiteError
from ft_bench.files import write_json, write_lines
from ft_bench.protocols import TaskData
from ft_bench.task import SourceFile, TaskSpec

__all__ = ["Prepared", "Sources", "prepare", "prepared", "read_rows"]

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A task's splits on disk. `test` and `spare` are paths that only the grader opens.

    `spare` holds upstream rows outside the splits, and may be absent. `data_digest` and `rows`
    cover the three splits.
    """

    spec: TaskSpec
    train: Path
    validation: Path
    test: Path
    spare: Path
    rows: dict[str, int]
    data_digest: str
    notes: tuple[str, ...]


class Sources:
    """A task's upstream files: from a data directory, or downloaded at a pinned revision.

    Args:
        spec: the task.
        data_dir: a folder with `<task id>/<file>` or `<file>`, plain or gzip; None downloads.
        work: where uncompressed and downloaded files are kept.
        progress: told about downloads.
    """

    def __init__(
        self, spec: TaskSpec, data_dir: Path | None, work: Path, progress: Progress | None = None
    ) -> None:
        self.spec, self.data_dir, self.work, self.progress = spec, data_dir, work, progress
        self._known = {source.name: source for source in spec.sources}

    def verify(self) -> None:
        """Check every required file, so that a damaged one is named before any work.

        Raises:
            ChecksumMismatch: names the file and both checksums.
            DataMissing: names the file and where it was looked for.
        """
        for source in self.spec.sources:
            if not source.optional or self.has(source.name):
                self.path(source.name)

    def has(self, name: str) -> bool:
        """Whether an optional file is in the data directory."""
        return self._find(name) is not None

    def path(self, name: str) -> Path:
        """A verified, uncompressed copy of the file called `name`."""
        source, found = self._known[name], self._find(name)
        if found is None:
            return self._download(source)
        if found.suffix != ".gz":
            self._check(found, source.sha256, file_sha256(found))
            return found
        return self._unpack(found, source)

    def _find(self, name: str) -> Path | None:
        if self.data_dir is None:
            return None
        folders = (self.data_dir / self.spec.id, self.data_dir)
        names = (name, f"{name}.gz")
        found = [folder / item for folder in folders for item in names if (folder / item).is_file()]
        return found[0] if found else None

    def _download(self, source: SourceFile) -> Path:
        layout = f"{self.spec.id}/{source.name}"
        if self.data_dir is not None:
            raise DataMissing(
                f"{self.data_dir / layout} is not there (nor with .gz); expected the upstream "
                "file, or leave --data-dir out to download it"
            )
        if not source.url:
            raise DataMissing(
                f"{layout} cannot be downloaded; put it into a folder and give --data-dir DIR"
            )
        target = self.work / source.name
        if not target.exists():
            fetch(source.url, target, self.progress)
        try:
            self._check(target, source.sha256, file_sha256(target))
        except ChecksumMismatch:
            target.unlink()  # so that the next attempt downloads it again
            raise
        return target

    def _unpack(self, packed: Path, source: SourceFile) -> Path:
        target = self.work / source.name
        hasher = hashlib.sha256()
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with gzip.open(packed) as stream, part.open("wb") as out:
                while block := stream.read(1 << 20):
                    hasher.update(block)
                    out.write(block)
        except (OSError, EOFError, zlib.error) as cause:
            part.unlink(missing_ok=True)
            self._check(packed, source.sha256, f"{file_sha256(packed)} (not readable as gzip)")
            raise PrerequisiteError(f"{packed} cannot be unpacked: {cause}") from cause
        try:
            self._check(packed, source.sha256, hasher.hexdigest())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    def _check(self, path: Path, expected: str, actual: str) -> None:
        if expected and actual != expected:
            raise ChecksumMismatch(
                path,
                expected,
                actual,
                f"fetch it again, or see `ft-bench tasks show {self.spec.id}`",
            )


def _folders(spec: TaskSpec, cache: Path, private: Path) -> tuple[Path, Path]:
    name = f"{spec.id}-{spec.version}"
    return cache / "tasks" / name, private / "tasks" / name


def prepare(
    spec: TaskSpec,
    cache: Path,
    private: Path,
    *,
    data_dir: Path | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Prepared:
    """Make (or find) a task's splits.

    A data directory is verified even where the splits are already there, so that a damaged file
    never goes unnoticed. A build that is killed leaves nothing half-written.

    Raises:
        ChecksumMismatch, DataMissing: see `Sources`.
    """
    public, sealed = _folders(spec, cache, private)
    work = cache / "sources" / spec.id
    sources = Sources(spec, data_dir, work, progress)
    if data_dir is not None:
        sources.verify()
    if not fresh and (public / "manifest.json").exists() and (sealed / "manifest.json").exists():
        if data_dir is not None:
            shutil.rmtree(work, ignore_errors=True)
        return prepared(spec, cache, private)
    data = _rows(spec, sources)
    _write(sealed, {"test": data.test, **_spare(data)}, spec, data.notes)
    _write(public, {"train": data.train, "validation": data.validation}, spec, data.notes)
    shutil.rmtree(work, ignore_errors=True)
    return prepared(spec, cache, private)


def _rows(spec: TaskSpec, sources: Sources) -> TaskData:
    module = importlib.import_module(f"{spec.module}.prepare")
    maker: Callable[[Sources], TaskData] = module.prepare
    return maker(sources)


def _spare(data: TaskData) -> dict[str, list[dict[str, Any]]]:
    return {"spare": data.spare} if data.spare else {}


def _write(
    folder: Path, splits: dict[str, list[dict[str, Any]]], spec: TaskSpec, notes: Iterable[str]
) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "manifest.json").unlink(missing_ok=True)
    shas = {}
    for name, rows in splits.items():
        path = folder / f"{name}.jsonl"
        write_lines(path, (canonical_json(row) + "\n" for row in rows))
        shas[name] = {"rows": len(rows), "sha256": file_sha256(path)}
    write_json(
        folder / "manifest.json",
        {"task": spec.id, "version": spec.version, "splits": shas, "notes": list(notes)},
    )


def prepared(spec: TaskSpec, cache: Path, private: Path) -> Prepared:
    """The splits that are already there, verified.

    Raises:
        DataMissing: where the task was never prepared.
        ChecksumMismatch: where a split is not what was written.
    """
    public, sealed = _folders(spec, cache, private)
    shas, rows, notes = {}, {}, ()
    for folder in (public, sealed):
        manifest = _manifest(folder, spec)
        notes = tuple(manifest["notes"])
        for name, entry in manifest["splits"].items():
            path = folder / f"{name}.jsonl"
            actual = file_sha256(path) if path.exists() else "(no file)"
            if actual != entry["sha256"]:
                raise ChecksumMismatch(
                    path,
                    entry["sha256"],
                    actual,
                    f"make it again with `ft-bench tasks prepare {spec.id} --fresh`",
                )
            if name != "spare":
                shas[name], rows[name] = entry["sha256"], entry["rows"]
    return Prepared(
        spec=spec,
        train=public / "train.jsonl",
        validation=public / "validation.jsonl",
        test=sealed / "test.jsonl",
        spare=sealed / "spare.jsonl",
        rows=rows,
        data_digest=digest(shas),
        notes=notes,
    )


def _manifest(folder: Path, spec: TaskSpec) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError) as cause:
        raise DataMissing(
            f"Task {spec.id!r} is not prepared ({folder} has no manifest); run "
            f"`ft-bench tasks prepare {spec.id}`" + (" --data-dir DIR" if spec.sources else "")
        ) from cause
    return manifest


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a split, in order."""
    with path.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]
