"""AgentFile: an `agent.toml`, and the fingerprint of the folder that it describes."""

from __future__ import annotations

import hashlib
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, field_validator

from ft_bench.digest import file_sha256
from ft_bench.errors import ConfigError, DataMissing, UsageError
from ft_bench.protocols import Limits

__all__ = ["AgentFile", "AgentLimits", "folder_digest", "options_model", "read_agent_file"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SIZES = {"K": 1, "M": 2, "G": 3}
_MOST = Limits()
_SKIPPED = {"__pycache__", ".git", ".venv", "node_modules"}
_MOST_FILES = 20_000


class AgentLimits(BaseModel):
    """`[limits]`: memory and disk in bytes, or text like "2GB"; processes count threads too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory: int = Field(default=_MOST.memory_bytes, gt=0, le=_MOST.memory_bytes)
    disk: int = Field(default=_MOST.disk_bytes, gt=0, le=_MOST.disk_bytes)
    processes: int = Field(default=_MOST.processes, gt=0, le=_MOST.processes)

    @field_validator("memory", "disk", mode="before")
    @classmethod
    def _size(cls, value: object) -> object:
        found = re.fullmatch(r"([0-9.]+)\s*([KMG])B", value) if isinstance(value, str) else None
        return round(float(found[1]) * 1024 ** _SIZES[found[2]]) if found else value

    def limits(self) -> Limits:
        """As a sandbox takes them."""
        return Limits(
            memory_bytes=self.memory,
            processes=self.processes,
            file_bytes=min(_MOST.file_bytes, self.disk),
            disk_bytes=self.disk,
        )


class AgentFile(BaseModel):
    """What an `agent.toml` says.

    Args:
        name: of the agent, in run ids and on the board.
        version: of the agent, for people; its files are what tells two versions apart.
        command: the program and its arguments. `{agent}` stands for this file's folder; the
            working directory is the run's workspace.
        env: what the program finds in its environment.
        inherit: names of variables that it gets from the caller's environment, such as a key.
        timeout: the longest that it may take: seconds, or text like "2h".
        prompt: a file beside this one whose words stand before the task in the prompt.
        limits: what it promises to stay within, below the harness's own limits.
        options: what `-A key=value` may set, with defaults; the program finds option `lr` as
            `FT_BENCH_OPTION_LR`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    version: str = ""
    command: tuple[str, ...] = Field(min_length=1)
    env: dict[str, str] = Field(default_factory=dict)
    inherit: tuple[str, ...] = ()
    timeout: float = Field(default=86_400.0, gt=0)
    prompt: str = ""
    limits: AgentLimits = Field(default_factory=AgentLimits)
    options: dict[str, bool | int | float | str] = Field(default_factory=dict)

    @field_validator("timeout", mode="before")
    @classmethod
    def _duration(cls, value: object) -> object:
        found = re.fullmatch(r"([0-9.]+)\s*([smhd])", value) if isinstance(value, str) else None
        return float(found[1]) * _UNITS[found[2]] if found else value


def read_agent_file(path: Path) -> AgentFile:
    """The agent that a TOML file describes.

    Raises:
        DataMissing: where there is no such file, or the prompt that it names is not there.
        ConfigError: where it is malformed; names the key and what was expected.
    """
    try:
        found = AgentFile.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as cause:
        raise DataMissing(
            f"{path} cannot be read ({cause.strerror}); expected an agent.toml"
        ) from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise ConfigError(f"{path} is not valid TOML: {cause}") from cause
    except ValidationError as cause:
        first = cause.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}: {key}: {first['msg']}; see docs/guides/agents.md") from cause
    if found.prompt and not (path.parent / found.prompt).is_file():
        raise DataMissing(f"{path} names the prompt {found.prompt!r}, which is not beside it")
    return found


def options_model(defaults: dict[str, bool | int | float | str]) -> type[BaseModel]:
    """The model that checks `-A key=value` against declared options and their types."""
    fields: dict[str, Any] = {name: (type(value), value) for name, value in defaults.items()}
    config = ConfigDict(frozen=True, extra="forbid")
    return create_model("Options", __config__=config, **fields)


def folder_digest(folder: Path) -> str:
    """A hash of a folder's files: names, executable bits and bytes; caches are left out.

    Raises:
        UsageError: where it holds more files than an agent has.
    """
    hasher, count = hashlib.sha256(), 0
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if _SKIPPED & set(inner.parts) or not path.is_file():
            continue
        count += 1
        if count > _MOST_FILES:
            raise UsageError(
                f"{folder} holds over {_MOST_FILES:,} files; put the agent in a folder of its own"
            )
        executable = bool(path.stat().st_mode & stat.S_IXUSR)
        hasher.update(f"{inner.as_posix()}\0{executable}\0{file_sha256(path)}\n".encode())
    return hasher.hexdigest()
