"""Files: written whole or not at all, and read without following links out of a folder."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from pydantic import BaseModel

__all__ = ["open_beneath", "write_json", "write_lines", "write_text"]


def open_beneath(folder: Path, path: Path) -> IO[bytes] | None:
    """Open a regular file below `folder` for reading, None where `path` does not lie there.

    Links are followed as long as they lead to something in the folder. Whoever may write the
    folder can exchange a part of the path meanwhile, but is not followed out of it.
    """
    root, real = folder.resolve(), path.resolve()
    if not real.is_relative_to(root) or real == root:
        return None
    *folders, name = real.relative_to(root).parts
    held = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in folders:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=held)
            os.close(held)
            held = inner
        # A pipe without a writer would block a plain open for ever.
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=held)
    except OSError:
        return None
    finally:
        os.close(held)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        return None
    return os.fdopen(file, "rb")


def write_text(path: Path, text: str) -> None:
    """Write a file by a temporary name, to the disk, then a rename."""
    write_lines(path, (text,))


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write pieces of text one after the other, as `write_text` does; nothing is added between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    part.unlink(missing_ok=True)
    try:
        # A new file: in a folder that an agent writes, a link could stand under that name.
        with part.open("x", encoding="utf-8", errors="surrogatepass", newline="") as stream:
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
