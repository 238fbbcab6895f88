"""Download: one file over HTTP, resumable, with a clear sentence when there is no network."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from ft_bench.errors import PrerequisiteError

__all__ = ["Progress", "fetch"]

Progress = Callable[[str, int, int | None], None]
"""Called with the file's name, bytes so far, and bytes in all where the server says."""

_BLOCK = 1 << 18
_NO_SUCH_RANGE = 416


def fetch(url: str, target: Path, progress: Progress | None = None, timeout: float = 30.0) -> None:
    """Download `url` to `target`, going on where an earlier attempt was cut off.

    Args:
        url: http or https.
        target: written by an atomic rename once complete.
        progress: told after each block.
        timeout: seconds without any byte before it counts as failed.

    Raises:
        PrerequisiteError: names the address, the cause and `--data-dir`.
    """
    part = target.with_name(f"{target.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            if have and reply.status != 206:
                have = 0
            length = reply.headers.get("Content-Length")
            total = have + int(length) if length else None
            with part.open("ab" if have else "wb") as out:
                while block := reply.read(_BLOCK):
                    out.write(block)
                    have += len(block)
                    if progress is not None:
                        progress(target.name, have, total)
                os.fsync(out.fileno())
        if total is not None and have < total:
            raise OSError(f"the connection ended after {have} of {total} bytes")
    except urllib.error.HTTPError as cause:
        with cause:
            if have and cause.code == _NO_SUCH_RANGE:  # what is there is no beginning of the file
                part.unlink()
                return fetch(url, target, progress, timeout)
        raise _failure(url, cause) from cause
    except (OSError, http.client.HTTPException) as cause:
        raise _failure(url, cause) from cause
    part.replace(target)


def _failure(url: str, cause: Exception) -> PrerequisiteError:
    return PrerequisiteError(
        f"{url} could not be downloaded ({cause}); try again, or give the files with --data-dir DIR"
    )
