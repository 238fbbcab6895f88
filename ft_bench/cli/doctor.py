"""`ft-bench doctor`: whether this machine has what a run needs."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from ft_bench.cli._output import Format, Output, table

__all__ = ["doctor"]

_NEEDED = ("torch", "transformers", "trl", "peft", "datasets", "inspect-ai", "rdkit", "polars")
_OPTIONAL = {"litellm": "LLM backends", "vllm": "fast generation on a GPU"}
_GIB = 2**30
Finding = tuple[str, bool, str]


def doctor(
    format: Annotated[Format, typer.Option(help="auto, human, json or quiet.")] = "auto",
) -> int:
    """Check Python, packages, devices, disk and folders."""
    found = [*_python(), *_packages(), *_device(), *_folders()]
    header = ("", "what", "seen")
    rows = [("ok" if holds else "MISSING", name, seen) for name, holds, seen in found]
    data = [{"what": name, "ok": holds, "seen": seen} for name, holds, seen in found]
    Output(format).data(data, table(header, rows))
    return 0 if all(holds for _, holds, _ in found) else 3


def _python() -> list[Finding]:
    version = platform.python_version()
    return [("python >= 3.11", sys.version_info >= (3, 11), version)]


def _packages() -> list[Finding]:
    from importlib.metadata import PackageNotFoundError, version

    found: list[Finding] = []
    for name in (*_NEEDED, *_OPTIONAL):
        try:
            found.append((name, True, version(name)))
        except PackageNotFoundError:
            need = _OPTIONAL.get(name)
            found.append((name, need is not None, f"not installed; for {need}" if need else "-"))
    return found


def _device() -> list[Finding]:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return [("device", True, ", ".join(names))]
    return [("device", True, f"CPU, {os.cpu_count()} cores (no GPU: use --base-model tiny)")]


def _folders() -> list[Finding]:
    from ft_bench.config import resolve
    from ft_bench.suite import homes

    config, _ = resolve({})
    where = homes(config)
    found: list[Finding] = []
    for name, folder in (("cache", where.cache), ("private", where.private), ("runs", where.runs)):
        existing = _existing(folder)
        free = shutil.disk_usage(existing).free / _GIB
        writable = os.access(existing, os.W_OK)
        found.append((f"{name} folder", writable and free > 1, f"{folder}, {free:.0f} GiB free"))
    return found


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
