"""Workspace: a node's folder, where a model may write; every path is confined to it.

Paths are walked one part at a time without following any symbolic link, so that neither "..", nor
an absolute path, nor a link that a program has left leads out. `train.jsonl` and
`validation.jsonl` name the task's own files, for reading alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

__all__ = ["OutOfBounds", "Workspace", "WorkspaceError"]

_MOST_BYTES = 4_000_000


class WorkspaceError(Exception):
    """What a tool of a workspace answers in place of an outcome, in one sentence."""


class OutOfBounds(WorkspaceError):
    """A path that leads out of the workspace."""


class Workspace:
    """A folder, and files outside of it that may be read under a name of their own.

    Args:
        root: the folder; made where it is missing.
        data: read-only files by the name that they have in the workspace.
    """

    def __init__(self, root: Path, data: Mapping[str, Path]) -> None:
        self.root, self.data = root, dict(data)
        root.mkdir(parents=True, exist_ok=True)
        for name, path in self.data.items():
            link = root / name
            if not os.path.lexists(link):
                link.symlink_to(path)

    def read(self, path: str, first: int = 1, lines: int = 200) -> str:
        """Lines of a text file, from line `first` on (1 is the first), with a note on the rest.

        Raises:
            WorkspaceError: the file is not there, is no regular file or no text.
        """
        text = self._bytes(path).decode("utf-8", "replace").split("\n")
        if text and not text[-1]:
            text.pop()
        shown = text[first - 1 : first - 1 + lines]
        left = len(text) - (first - 1 + len(shown))
        note = f"\n({left} more lines of {len(text)})" if left > 0 else ""
        return "\n".join(shown) + note

    def write(self, path: str, text: str) -> str:
        """Write a whole file; folders on the way are made.

        Raises:
            WorkspaceError: the path leads out, or names a folder or a data file.
        """
        data = text.encode("utf-8", "surrogatepass")
        if len(data) > _MOST_BYTES:
            raise WorkspaceError(
                f"{len(data)} bytes are too many for one call; at most {_MOST_BYTES}, or let a "
                "program write the file"
            )
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(self._open(path, flags, make=True), "wb") as file:
            file.write(data)
        return f"wrote {len(data)} bytes to {path}"

    def edit(self, path: str, old: str, new: str) -> str:
        """Replace a text that occurs exactly once in a file.

        Raises:
            WorkspaceError: it occurs never or several times, or as for `read` and `write`.
        """
        text = self._bytes(path).decode("utf-8", "replace")
        count = text.count(old) if old else 0
        if count != 1:
            raise WorkspaceError(
                f"the old text occurs {count} times in {path!r}, expected once; give more of it"
            )
        self.write(path, text.replace(old, new))
        return f"edited {path}"

    def open(self, path: str) -> int:
        """A file descriptor of a regular file to read from; the caller closes it.

        Raises:
            WorkspaceError: as for `read`.
        """
        name = "/".join(self._parts(path))
        if name in self.data:
            return os.open(self.data[name], os.O_RDONLY)
        return self._open(path, os.O_RDONLY)

    def _bytes(self, path: str) -> bytes:
        with os.fdopen(self.open(path), "rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise WorkspaceError(
                f"{path!r} is larger than {_MOST_BYTES} bytes; look at a part of it with bash"
            )
        return data

    def _parts(self, path: str) -> tuple[str, ...]:
        """The parts below the root.

        Raises:
            OutOfBounds: for "..", and for an absolute path elsewhere.
        """
        given = PurePosixPath(path)
        if given.is_absolute():
            root = PurePosixPath(self.root)
            if not given.is_relative_to(root):
                raise OutOfBounds(
                    f"{path!r} is outside of the workspace; give a path relative to it"
                )
            given = given.relative_to(root)
        if ".." in given.parts:
            raise OutOfBounds(f"{path!r} climbs with '..'; give a path below the workspace")
        if not given.parts or "\0" in path:
            raise WorkspaceError(f"{path!r} names no file; give a path below the workspace")
        return given.parts

    def _open(self, path: str, flags: int, *, make: bool = False) -> int:
        *folders, last = self._parts(path)
        at = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for folder in folders:
                below = _folder(folder, at, make)
                os.close(at)
                at = below
            opened = os.open(last, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644, dir_fd=at)
        except OSError as cause:
            raise _refusal(path, cause) from cause
        finally:
            os.close(at)
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            raise WorkspaceError(f"{path!r} is no regular file")
        return opened

    # --- as it was before a call --------------------------------------------------------------

    def hold(self, call: str) -> None:
        """Make the files what they were when `call` was begun first.

        A call that a dead process had begun may have left half of its work; it is taken back, so
        that the call can be made again. Otherwise the files are kept aside as they are now. Only
        the latest call is kept.
        """
        kept = self._kept(call)
        if kept.exists():
            _empty(self.root)
            _copy(kept, self.root)
            return
        self.forget()
        part = kept.with_name(f"{kept.name}.part")
        _copy(self.root, part)
        part.rename(kept)

    def forget(self) -> None:
        """Drop what `hold` keeps."""
        for path in self.root.parent.glob(f".{self.root.name}.before*"):
            shutil.rmtree(path, ignore_errors=True)

    def _kept(self, call: str) -> Path:
        return self.root.parent / f".{self.root.name}.before.{call}"


def _folder(name: str, at: int, make: bool) -> int:
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=at)
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)


def _refusal(path: str, cause: OSError) -> WorkspaceError:
    if cause.errno in (errno.ELOOP, errno.ENOTDIR):
        return OutOfBounds(f"{path!r} passes through a link or a file; links are not followed")
    return WorkspaceError(f"{path!r}: {cause.strerror}")


def _empty(root: Path) -> None:
    for entry in os.scandir(root):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def _copy(source: Path, target: Path) -> None:
    """Copy files, folders and links, with their times; sockets, pipes and devices are left out."""
    target.mkdir(exist_ok=True)
    for entry in os.scandir(source):
        to = target / entry.name
        if entry.is_symlink():
            to.symlink_to(os.readlink(entry.path))
        elif entry.is_dir():
            os.chmod(entry.path, 0o755)
            _copy(Path(entry.path), to)
        elif entry.is_file():
            os.chmod(entry.path, entry.stat().st_mode | stat.S_IRUSR)
            shutil.copy2(entry.path, to)
    shutil.copystat(source, target)
