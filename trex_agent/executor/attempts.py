"""Attempts: what a call reached for that it must not have, as far as its words show it.

Nothing is held back here: the sandbox and the workspace do that. This names what was tried, so that
the journal shows it; a command that hides its aim escapes the naming, not the sandbox.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Attempt", "attempts"]

_OPEN = (
    *("/usr", "/bin", "/lib", "/opt", "/dev/null", "/dev/std", "/dev/zero", "/dev/shm"),
    *("/dev/urandom", "/dev/random", "/dev/tty", "/proc/self", "/proc/cpuinfo", "/proc/meminfo"),
)
_PATH = re.compile(r"(?<![\w.~:/\\-])(/[\w.+@-][\w.+@/*-]*)")
_HOME = re.compile(r"(?<![\w/])(~/?[\w./-]*|\$\{?HOME\}?/[\w./-]*|expanduser\(|Path\.home\()")
_CLIMB = re.compile(r"(?<![\w./])((?:\.\./)+[\w./-]*|\.\.(?=[\s'\";]|$))")
_ROOT = re.compile(
    r"(?:\b(?:find|ls|du|tree|grep|rg|tar)\s(?:[^|;\n]*\s)?|(?:walk|listdir|scandir|Path|chdir)\(['\"])"
    r"(/)(?=[\s'\")]|$)"
)
_NETWORK = re.compile(
    r"(?:\b|(?=/))(curl|wget|telnet|netcat|ssh|scp|socket\.socket|create_connection|urlopen|"
    r"requests\.(?:get|post)|httpx|aiohttp|/dev/tcp)\b"
)
_PROCESS = re.compile(r":\(\)\s*\{|\b(os\.fork|nohup|setsid|disown|ptrace|unshare|nsenter)\b")
_ENVIRON = re.compile(r"/proc/[\w*]+/(?:environ|mem|cmdline|root|cwd|fd)[\w/]*")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One thing that a call reached for."""

    kind: Literal["path", "network", "process", "leak"]
    target: str


def attempts(text: str, open_paths: Sequence[Path]) -> list[Attempt]:
    """What a command or a program names that is not open to it; each once, at most eight.

    Args:
        text: the command, or the program's text.
        open_paths: the workspace and what is shown read-only beside it.
    """
    shown = [str(path) for path in open_paths]
    found = [Attempt("path", match) for match in _ENVIRON.findall(text)]
    found += [Attempt("path", path) for path in _PATH.findall(text) if _closed(path, shown)]
    found += [Attempt("path", match) for match in (*_HOME.findall(text), *_ROOT.findall(text))]
    if "cd " not in text:
        found += [Attempt("path", match) for match in _CLIMB.findall(text)]
    found += [Attempt("network", match) for match in _NETWORK.findall(text)]
    found += [Attempt("process", match or "fork bomb") for match in _PROCESS.findall(text)]
    return list(dict.fromkeys(found))[:8]


def _closed(path: str, shown: Sequence[str]) -> bool:
    """Whether an absolute path leads to something of this machine that is not open.

    A program's /tmp is its own, so that only what is there already counts.
    """
    if any(path.startswith(prefix) for prefix in shown):
        return False
    parts = path.split("/")
    if parts[1] == "tmp":
        return len(parts) > 2 and os.path.exists("/".join(parts[:3]))
    return not path.startswith(_OPEN) and os.path.exists(f"/{parts[1]}")
