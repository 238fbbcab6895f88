"""Base: the model that a run starts from, as a reference that can be loaded and a digest."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ft_bench.digest import digest, file_sha256
from ft_bench.errors import PrerequisiteError, UsageError
from ft_bench.job import ModelRef
from ft_bench.prepare import Prepared
from ft_bench.weights import tensors_in

__all__ = ["Base", "resolve_base"]

TINY = "tiny"


@dataclass(frozen=True, slots=True)
class Base:
    """A base model. `digest` is of its files, or of its name where a hub holds them.

    `parameters` counts its weights, 0 where no local safetensors file tells.
    """

    name: str
    ref: ModelRef
    digest: str
    parameters: int = 0


def resolve_base(
    name: str, data: Prepared, cache: Path, say: Callable[[str], None] = lambda _: None
) -> Base:
    """Find or make the base model called `name`.

    Args:
        name: "tiny" (built from the task's own training text, then cached), a folder, a hub id,
            or "builtin:<package folder>" for one that is shipped with a task.
        data: the task's splits; the tiny base learns from `train` alone.
        cache: where a tiny base is kept.
        say: told when a base has to be built.

    Raises:
        UsageError: where no name was given and the task has none.
        PrerequisiteError: where the build fails.
    """
    if not name:
        raise UsageError(
            f"Task {data.spec.id!r} has no built-in base model; give --base-model tiny, a folder, "
            "or a hub id such as Qwen/Qwen3-1.7B"
        )
    if name == TINY:
        folder = _tiny(data, cache, say)
    elif name.startswith("builtin:"):
        folder = Path(__file__).parent / "tasks" / name.removeprefix("builtin:")
    else:
        folder = Path(name)
    if not folder.is_dir():
        if name.startswith(("/", ".")):
            raise UsageError(f"--base-model {name!r} is no folder; expected one with config.json")
        return Base(name, ModelRef(base=name), digest(["hub", name]))
    ref = ModelRef(base=str(folder.resolve()))
    return Base(name, ref, _folder_digest(folder), _parameters(folder))


def _parameters(folder: Path) -> int:
    """Weights in the folder, from the headers of its safetensors files alone; 0 without any."""
    with contextlib.suppress(ValueError):
        return sum(tensor.size for tensor in tensors_in(folder).values())
    return 0


def _folder_digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return digest([[str(path.relative_to(folder)), file_sha256(path)] for path in files])


def _tiny(data: Prepared, cache: Path, say: Callable[[str], None]) -> Path:
    """Build in a process of its own, so that the harness never loads torch."""
    key = digest([data.data_digest, "tiny-1"])[:16]
    folder = cache / "bases" / f"tiny-{data.spec.id}-{key}"
    if (folder / "config.json").exists():
        return folder
    say(f"building the tiny base model for {data.spec.id} (once, about a minute)")
    command = [sys.executable, "-m", "ft_bench.backends.models.tiny", str(data.train), str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0 or not (folder / "config.json").exists():
        last = ended.stderr.strip().splitlines()[-1:] or ["no message"]
        raise PrerequisiteError(
            f"The tiny base model for {data.spec.id} could not be built: {last[0]}"
        )
    return folder
