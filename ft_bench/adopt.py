"""Adopt: takes in a model that an agent trained by itself, as plain weights and nothing else.

The folder belongs to a program that may be hostile and may still be running: links are not
followed, only known kinds of files are copied, code and pickles never are, and what is compared
with the base and later loaded is the copy.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path
from typing import IO

from ft_bench.errors import JobFailed
from ft_bench.job import ModelRef
from ft_bench.lineage import lineage_of
from ft_bench.record import Lineage
from ft_bench.weights import local_folder

__all__ = ["adopt_model", "fingerprint"]

_KINDS = (".safetensors", ".json", ".jinja", ".txt", ".model")
_MOST_FILES = 200
_SLACK_BYTES = 1 << 30
_CHUNK = 1 << 20


def fingerprint(source: Path, room: Path) -> str:
    """A hash of the weights in a folder of `room`, read as warily as they are copied.

    Raises:
        JobFailed: POLICY where it is no model folder of the workspace.
    """
    hasher = hashlib.sha256()
    for path in _files(_inside(source, room)):
        if path.suffix == ".safetensors":
            hasher.update(f"{path.name}\n".encode())
            with _opened(path) as stream:
                while block := stream.read(_CHUNK):
                    hasher.update(block)
    return hasher.hexdigest()


def adopt_model(source: Path, room: Path, target: Path, base: ModelRef) -> tuple[ModelRef, Lineage]:
    """Copy a model into the run and compare it with the base.

    Args:
        source: the folder as its maker names it, below `room`.
        room: the only place where it may lie: the agent's workspace.
        target: where the copy goes; what was there is replaced.
        base: the permitted base model.

    Returns:
        The copy, and what the comparison found.

    Raises:
        JobFailed: POLICY where the folder is no model, is too large, or is not the base plus a
            delta; INFRA where the base's own weights are not on this machine.
    """
    ours = local_folder(base.base)
    if ours is None:
        raise JobFailed("INFRA", f"the weights of {base.base} are not on this machine")
    files = _files(_inside(source, room))
    allowed = 3 * _size(ours) + _SLACK_BYTES
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for path in files:
        allowed -= _copy(path, target / path.name, allowed)
    adapter = target if (target / "adapter_config.json").is_file() else None
    found = lineage_of(ours, ours if adapter else target, adapter)
    if found.faults:
        raise JobFailed("POLICY", f"not the base plus a delta: {'; '.join(found.faults[:3])[:400]}")
    ref = ModelRef(base=base.base, adapter=str(target)) if adapter else ModelRef(base=str(target))
    return ref, found


def _inside(source: Path, room: Path) -> Path:
    folder = Path(os.path.realpath(room / source))
    if not folder.is_relative_to(room.resolve()) or not folder.is_dir():
        raise JobFailed("POLICY", f"{source} is no folder of the workspace; expected one there")
    return folder


def _files(folder: Path) -> list[Path]:
    """The files of a model folder that are data; what lies deeper belongs to checkpoints."""
    found = sorted(path for path in folder.iterdir() if path.suffix in _KINDS)
    if not any(path.suffix == ".safetensors" for path in found):
        raise JobFailed("POLICY", f"{folder.name} holds no .safetensors file; save the model so")
    if len(found) > _MOST_FILES:
        raise JobFailed("POLICY", f"{folder.name} holds over {_MOST_FILES} files")
    return found


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def _copy(source: Path, target: Path, allowed: int) -> int:
    """Copy one regular file; returns its bytes."""
    copied = 0
    with _opened(source) as stream, target.open("wb") as out:
        while block := stream.read(_CHUNK):
            copied += len(block)
            if copied > allowed:
                raise JobFailed("POLICY", "the model is over three times as large as its base")
            out.write(block)
    return copied


def _opened(path: Path) -> IO[bytes]:
    """A regular file, opened without following a link and without waiting for a pipe."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as cause:
        raise JobFailed("POLICY", f"{path.name} is no plain file ({cause.strerror})") from cause
    stream = open(number, "rb")  # noqa: SIM115  the caller closes it
    if not stat.S_ISREG(os.fstat(number).st_mode):
        stream.close()
        raise JobFailed("POLICY", f"{path.name} is no plain file")
    return stream
