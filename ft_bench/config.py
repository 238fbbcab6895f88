"""Config: what was asked for, resolved from flags, environment, file and defaults, with sources.

Precedence: flag > `FT_BENCH_*` > `ft-bench.toml` > default. Unknown keys are errors.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ft_bench.budget import Budget
from ft_bench.errors import ConfigError, UnknownName

__all__ = ["BudgetConfig", "Config", "keys", "resolve"]

FILE = "ft-bench.toml"
_PREFIX = "FT_BENCH_"
_NOT_CONFIG = {"FT_BENCH_SHARED", "FT_BENCH_LAB", "FT_BENCH_TOKEN", "FT_BENCH_CONFIG"}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def _home(variable: str, fallback: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / fallback)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BudgetConfig(_Frozen):
    """Limits as a person writes them; "none" lifts one. `wall` is seconds, or text like "12h"."""

    iterations: int = Field(default=20, ge=0)
    device_hours: float | None = Field(default=24.0, ge=0)
    wall: float | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    usd: float | None = Field(default=None, ge=0)
    samples: int = Field(default=50_000, gt=0)
    variants: int = Field(default=5, gt=0, le=8)

    @field_validator("device_hours", "wall", "tokens", "usd", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return None if isinstance(value, str) and value.lower() == "none" else value

    @field_validator("wall", mode="before")
    @classmethod
    def _duration(cls, value: object) -> object:
        found = re.fullmatch(r"([0-9.]+)\s*([smhd])", value) if isinstance(value, str) else None
        return float(found[1]) * _UNITS[found[2]] if found else value

    def budget(self) -> Budget:
        """The limits in the harness's units."""
        hours = self.device_hours
        return Budget(
            iterations=self.iterations,
            device_seconds=None if hours is None else hours * 3600,
            wall_seconds=self.wall,
            tokens=self.tokens,
            usd=self.usd,
            samples=self.samples,
            variants=self.variants,
        )


class Config(_Frozen):
    """Everything that can be set for `ft-bench eval`, and where things live."""

    agent: str = "trex"
    backend: str = "offline"
    base_model: str = ""
    seed: int = Field(default=0, ge=0)
    seeds: int = Field(default=1, ge=1)
    cluster: str = "local"
    slots: int | None = Field(default=None, ge=1)
    isolation: str = "none"
    job_seconds: float = Field(default=3600.0, gt=0)
    data_dir: Path | None = None
    insights: Path | None = None
    runs_dir: Path = Path("results/runs")
    cache_dir: Path = Field(default_factory=lambda: _home("XDG_CACHE_HOME", ".cache") / "ft-bench")
    private_dir: Path = Field(
        default_factory=lambda: _home("XDG_DATA_HOME", ".local/share") / "ft-bench" / "private"
    )
    budget: BudgetConfig = BudgetConfig()


def keys() -> list[str]:
    """Every key, dotted, sorted."""
    nested = [f"budget.{name}" for name in BudgetConfig.model_fields]
    return sorted([name for name in Config.model_fields if name != "budget"] + nested)


def resolve(
    flags: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> tuple[Config, dict[str, str]]:
    """Merge all layers.

    Args:
        flags: dotted keys as given on the command line; None is "not given".
        environment: by default the process's own.
        file: a TOML file; by default `ft-bench.toml` in the working directory if there.

    Returns:
        The configuration, and for every key where its value came from.

    Raises:
        UnknownName: for a key that does not exist.
        ConfigError: for a value of the wrong kind; names key, value, source and expectation.
    """
    given = os.environ if environment is None else environment
    layers = [
        (_from_file(file), str(file or FILE)),
        (_from_environment(given), "environment"),
        ({key: value for key, value in flags.items() if value is not None}, "flag"),
    ]
    values: dict[str, Any] = {}
    sources = dict.fromkeys(keys(), "default")
    for layer, origin in layers:
        for key, value in layer.items():
            values[key] = value
            sources[key] = _variable(key) if origin == "environment" else origin
    return _checked(values, sources), sources


def _checked(values: Mapping[str, Any], sources: Mapping[str, str]) -> Config:
    nested: dict[str, Any] = {"budget": {}}
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        (nested[section] if section else nested)[name] = value
    try:
        return Config.model_validate(nested)
    except ValidationError as cause:
        first = cause.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{_flag(key)} is {values.get(key)!r} (from {sources.get(key, 'default')}): "
            f"{first['msg'][0].lower()}{first['msg'][1:]}"
        ) from cause


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")


def _variable(key: str) -> str:
    return _PREFIX + key.replace(".", "_").upper()


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    known = {_variable(key): key for key in keys()}
    found = {}
    for name, value in environment.items():
        if not name.startswith(_PREFIX) or name in _NOT_CONFIG:
            continue
        if name not in known:
            raise UnknownName("environment variable", name, known, "ft-bench config show")
        found[known[name]] = value
    return found


def _from_file(file: Path | None) -> dict[str, Any]:
    path = file or Path(FILE)
    if not path.exists():
        if file is not None:
            raise ConfigError(f"--config {str(file)!r} is not there; expected a TOML file")
        return {}
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise ConfigError(f"{path} is not valid TOML: {cause}") from cause
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{name}": item for name, item in value.items()})
        else:
            flat[key] = value
    for key in flat:
        if key.replace("-", "_") not in keys():
            raise UnknownName(f"key in {path}", key, keys(), "ft-bench config show")
    return {key.replace("-", "_"): value for key, value in flat.items()}
