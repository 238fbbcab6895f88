"""Bubblewrap: the entry point `sandbox.bwrap`; namespaces of its own for every program.

A program sees the system and Python read-only, what its cell names, and one folder that it may
write. It has no capability, no network unless granted, and no process but its own.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from ft_bench.backends.sandbox import confined
from ft_bench.backends.sandbox.interpreter import interpreter_paths
from ft_bench.backends.sandbox.syscalls import filter_for
from ft_bench.errors import PrerequisiteError
from ft_bench.protocols import Cell

__all__ = ["Bubblewrap"]

_OWN_PROCESSES = 2
_SCRATCH_BYTES = 256 << 20
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
# What programs look up there; nothing of /etc that names users, hosts or keys.
_SETTINGS = (
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "fonts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "timezone",
)
# What a program that is root's, without any capability, could still write there.
_KERNEL = ("acpi", "bus", "driver", "fs", "irq", "mtrr", "scsi", "sys", "sysrq-trigger")
_NETWORK_SETTINGS = ("gai.conf", "host.conf", "hosts", "nsswitch.conf", "resolv.conf")
_REMEDY = "or choose --isolation none or process"
_NAMESPACES = [
    *("--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
    *("--hostname", "cell"),
]


class Bubblewrap:
    """Isolation by Debian's bubblewrap; works for root and for a normal user."""

    name = "bwrap"

    def check(self) -> None:
        """Whether bwrap is there, new enough and permitted."""
        _bwrap()

    def start(
        self,
        command: Sequence[str],
        cell: Cell,
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> confined.WardedProgram:
        """Start a program in namespaces of its own."""
        screen = filter_for()
        wrapped = [
            *_bwrap(),
            *(("--seccomp", "{screen}") if screen else ()),
            *("--args", "{told}", "--"),
            *confined.limited(command, cell),
        ]
        told = (
            *(["--share-net"] if cell.network else []),
            *_mounts(cell),
            *("--chdir", str(cell.workspace)),
        )
        order = confined.order_of(wrapped, cell, confined.environment(cell))
        shown = base64.b64encode(screen).decode()
        confining = replace(order, own=_OWN_PROCESSES, told=told, screen=shown)
        return confined.start(confining, (stdin, stdout, stderr))


@cache
def _bwrap() -> list[str]:
    """bwrap with the namespaces that this machine can make.

    Raises:
        PrerequisiteError: where it is not there, too old, or not permitted.
    """
    tool = shutil.which("bwrap")
    if tool is None:
        raise PrerequisiteError(
            "--isolation bwrap needs bubblewrap, which is not here; install Debian's package with "
            f"`apt-get install bubblewrap`, {_REMEDY}"
        )
    known = subprocess.run([tool, "--help"], capture_output=True, text=True, check=False)
    if "--size" not in known.stdout + known.stderr:
        raise PrerequisiteError(
            f"{tool} is too old, expected bubblewrap 0.8.0 or newer; install a newer one, {_REMEDY}"
        )
    # Where the kernel lets it, a program gets no further namespace inside its own.
    for closed in (["--unshare-user", "--disable-userns"], []):
        begin = [tool, *_NAMESPACES, *closed]
        probe = [*begin, *_system(), "--", "/bin/sh", "-c", "exit 0"]
        answer = subprocess.run(probe, capture_output=True, text=True, check=False, env={})
        if answer.returncode == 0:
            return begin
    raise PrerequisiteError(
        f"bwrap cannot make namespaces here ({answer.stderr.strip()[:200]}); permit unprivileged "
        f"user namespaces, {_REMEDY}"
    )


def _mounts(cell: Cell) -> list[str]:
    """All mounts; the deeper ones later, so that each lies over what it is within.

    Raises:
        PrerequisiteError: where something that should be visible is not there.
    """
    scratch = str(min(_SCRATCH_BYTES, cell.limits.disk_bytes))
    settings = (*_SETTINGS, *(_NETWORK_SETTINGS if cell.network else ()))
    options = [*_system(), "--proc", "/proc", "--dev", "/dev", "--dir", "/run"]
    readable = [f"/etc/{name}" for name in settings] + [f"/proc/{name}" for name in _KERNEL]
    for path in (*readable, "/sys/devices/system/cpu"):
        options += ["--ro-bind-try", path, path]
    for folder in ("/tmp", "/dev/shm"):
        options += ["--perms", "1777", "--size", scratch, "--tmpfs", folder]
    options += ["--symlink", "/tmp", "/var/tmp"]
    places = [(path, ["--ro-bind", str(path), str(path)]) for path in _named(_visible(cell))]
    places += [(path, ["--bind", str(path), str(path)]) for path in _written(cell)]
    shown = [path for path, _ in places] + [Path("/usr")]
    hidden = [
        path
        for path in _named(cell.hidden)
        if path.is_dir() and any(path.is_relative_to(other) for other in shown)
    ]
    places += [(path, ["--tmpfs", str(path)]) for path in hidden]
    for inside, outside in cell.decoys.items():
        places += [(path, ["--bind", str(outside), str(path)]) for path in _named([inside])]
    for _, how in sorted(places, key=lambda place: len(place[0].parts)):
        options += how
    for place in (*hidden, Path("/dev"), Path("/")):
        options += ["--remount-ro", str(place)]
    return options


def _written(cell: Cell) -> list[Path]:
    """The workspace by its names; a pinned one by the one that was looked at."""
    return [cell.workspace] if cell.pinned else _named([cell.workspace])


def _visible(cell: Cell) -> list[Path]:
    for path in cell.visible:
        if not path.exists():
            raise PrerequisiteError(f"{path} should be visible in the sandbox but is not there")
    return [
        path
        for path in (*interpreter_paths(), *cell.visible)
        if not path.is_relative_to("/usr") or path in cell.visible
    ]


def _named(paths: Iterable[Path]) -> list[Path]:
    """Each path as it is called and as it really lies, once."""
    return list(dict.fromkeys(name for path in paths for name in (path.absolute(), path.resolve())))


def _system() -> list[str]:
    options = ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM:
        path = Path("/", name)
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            options += ["--ro-bind", str(path), str(path)]
    return options
