"""Files: written whole or not at all, so that a reader never sees half of one."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel

__all__ = ["write_json", "write_lines", "write_text"]


def write_text(path: Path, text: str) -> None:
    """Write a file by a temporary name, to the disk, then a rename."""
    write_lines(path, (text,))


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write pieces of text one after the other, as `write_text` does; nothing is added between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with part.open("w", encoding="utf-8", errors="surrogatepass", newline="") as stream:
            stream.writelines(lines)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: object) -> None:
    """Write a record, or JSON data, indented."""
    data = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
