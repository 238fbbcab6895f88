"""Weights: the tensors of a model's safetensors files, read in pieces, without torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ft_bench.digest import digest, file_sha256

__all__ = ["Tensor", "local_folder", "pieces", "tensors_in", "weights_digest"]

_PIECE = 500_000
_TYPES: Mapping[str, Any] = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "BF16": "<u2"}


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where one tensor lies: its file, its type, its shape, and its first and last byte."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def size(self) -> int:
        """How many values it has."""
        return prod(self.shape)


def local_folder(name: str) -> Path | None:
    """The folder with the weights of a model named by folder or hub id; None where there is none.

    A hub id is looked up in the local cache; nothing is downloaded.
    """
    folder = Path(name)
    if folder.is_dir():
        return folder if any(folder.glob("*.safetensors")) else None
    if name.startswith(("/", ".")):
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        found = Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    return found if any(found.glob("*.safetensors")) else None


def tensors_in(folder: Path) -> dict[str, Tensor]:
    """Every tensor of a folder's safetensors files, by name, from the headers alone.

    Raises:
        ValueError, KeyError: where there is no such file, or one is not safetensors.
    """
    found: dict[str, Tensor] = {}
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise ValueError(f"{folder} holds no safetensors file")
    for path in paths:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > path.stat().st_size:
                raise ValueError(f"{path.name} is cut short")
            header = json.loads(stream.read(length))
        for name, item in header.items():
            if name != "__metadata__":
                found[name] = _tensor(path, 8 + length, item)
    return found


def _tensor(path: Path, origin: int, item: Mapping[str, Any]) -> Tensor:
    start, stop = item["data_offsets"]
    if item["dtype"] not in _TYPES:
        raise ValueError(f"{path.name} holds a tensor of type {item['dtype']!r}")
    return Tensor(path, item["dtype"], tuple(item["shape"]), origin + start, origin + stop)


def pieces(tensor: Tensor) -> Iterator[NDArray[np.float32]]:
    """The values of a tensor in order, half a million at a time."""
    kind = np.dtype(_TYPES[tensor.dtype])
    with tensor.path.open("rb") as stream:
        stream.seek(tensor.start)
        left = tensor.stop - tensor.start
        while left > 0:
            block = _read(stream, min(left, _PIECE * kind.itemsize))
            left -= len(block)
            values = np.frombuffer(block, kind)
            if tensor.dtype == "BF16":
                values = (values.astype(np.uint32) << 16).view(np.float32)
            yield values.astype(np.float32, copy=False)


def _read(stream: BinaryIO, size: int) -> bytes:
    block = stream.read(size)
    if not block:
        raise ValueError("a safetensors file ends before its tensors do")
    return block


def weights_digest(folder: Path) -> str:
    """The hash of all files of a model's folder.

    A tokenizer, a template, or weights in another form that lie beside them change what a model
    says as much as its tensors do.
    """
    paths = sorted(path for path in folder.rglob("*") if not path.is_dir())
    return digest(
        [
            # What is no file, a pipe say, would be read for ever; that it is there counts.
            [path.relative_to(folder).as_posix(), file_sha256(path) if path.is_file() else ""]
            for path in paths
        ]
    )
