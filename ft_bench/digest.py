"""Digest: one canonical form, hence one hash, for every piece of data; and seeds made from it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

__all__ = ["canonical_json", "derive_seed", "digest", "file_sha256"]


def _plain(value: object) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no canonical form; give JSON data or a record")


def canonical_json(value: object) -> str:
    """The one JSON text of `value`: sorted keys, no blanks, UTF-8, NaN refused.

    Raises:
        TypeError: for an object that is neither JSON data nor a record.
        ValueError: for NaN or an infinity.
    """
    return json.dumps(
        value,
        default=_plain,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )


def digest(value: object) -> str:
    """The sha256 of the canonical JSON of `value`, 64 hexadecimal characters."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def derive_seed(*parts: object) -> int:
    """A seed in [0, 2**31) from what it is for, e.g. `derive_seed(run_seed, node, "train")`.

    Never drawn from a global generator: the same parts give the same seed after a restart.
    """
    return int(digest([str(part) for part in parts])[:8], 16) & 0x7FFFFFFF


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, read in pieces of 1 MiB."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
