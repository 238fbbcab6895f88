"""Request: what a person asked for, resolved into a manifest and a directory before any work."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from ft_bench import registry
from ft_bench.budget import Budget
from ft_bench.digest import digest
from ft_bench.earlier import Earlier
from ft_bench.errors import ConfigError, FtBenchError, PrerequisiteError, UnknownName
from ft_bench.files import write_json
from ft_bench.prepare import Prepared
from ft_bench.protocols import LLM
from ft_bench.record import RunManifest
from ft_bench.store import RunPaths, holder, read_manifest

__all__ = [
    "Homes",
    "Named",
    "RunRequest",
    "agent_options",
    "connected",
    "manifest_of",
    "open_directory",
]

_VERSIONED = ("ft-bench", "torch", "transformers", "trl", "peft", "datasets", "rdkit", "numpy")
_ON_THE_WAY = frozenset(
    {
        "api_key_env",
        "backoff",
        "base_url",
        "model",
        "retries",
        "timeout",
        "usd_per_million_in",
        "usd_per_million_out",
    }
)
"""Options of a language model that say how it is reached, not what it answers; its name counts."""


@dataclass(frozen=True, slots=True)
class Homes:
    """Where things live: public cache, private folder of test splits, runs."""

    cache: Path
    private: Path
    runs: Path


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One (agent, backend, task, seed) with its limits.

    `base_model` "" is the task's default. `options` are the agent's, `backend_options` the
    backend's; both as given, checked by whoever owns them.
    """

    task: str
    agent: str
    backend: str
    homes: Homes
    seed: int = 0
    base_model: str = ""
    budget: Budget = field(default_factory=Budget)
    options: Mapping[str, str] = field(default_factory=dict)
    backend_options: Mapping[str, str] = field(default_factory=dict)
    cluster: str = "local"
    slots: int | None = None
    isolation: str = "none"
    data_dir: Path | None = None
    job_seconds: float = 3600.0
    insights: Path | None = None
    fresh: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)


class Named(Protocol):
    """An agent as a run knows it: `origin` changes whenever its code does."""

    name: str
    origin: str


def agent_options(agent: Any, given: Mapping[str, str]) -> BaseModel:
    """The agent's options, checked against its `Options` model.

    Raises:
        UnknownName: for an option that the agent does not have, with the nearest.
        ConfigError: for a value of the wrong kind.
    """
    model: type[BaseModel] = agent.Options
    for name in given:
        if name not in model.model_fields:
            known = list(model.model_fields) or ["(it has none)"]
            raise UnknownName(f"option of agent {agent.name}", name, known, "-A key=value")
    try:
        return model.model_validate(dict(given))
    except ValidationError as cause:
        first = cause.errors()[0]
        raise ConfigError(
            f"-A {first['loc'][0]}={given.get(str(first['loc'][0]))!r}: {first['msg']}"
        ) from cause


def connected(request: RunRequest) -> LLM | None:
    """The language model behind the agent, None where there is none; nothing is asked yet.

    Raises:
        UsageError: for an option of the backend that it does not have.
        PrerequisiteError: where a key or a server is missing, or its price, which a limit in USD
            needs.
    """
    llm: LLM | None = registry.backend("llm", request.backend)(request.backend_options)
    if llm is not None and request.budget.usd is not None and not llm.priced:
        raise PrerequisiteError(
            f"The price of {llm.name} is unknown, so --budget.usd {request.budget.usd:g} cannot be "
            "kept; give -B usd_per_million_in=... and -B usd_per_million_out=..., or "
            "--budget.usd none"
        )
    return llm


def manifest_of(
    request: RunRequest,
    agent: Named,
    data: Prepared,
    options: BaseModel,
    base_digest: str,
    hardware: str,
    llm: LLM | None = None,
    earlier: Earlier | None = None,
) -> RunManifest:
    """The resolved run. Its digest covers what makes scores comparable, not budgets or paths."""
    spec = data.spec
    comparable = {
        "task": [spec.id, spec.version],
        "scorer": registry.scorer(spec.scorer).version,
        "agent": [agent.name, agent.origin],
        "backend": _backend(request, llm),
        "base": base_digest,
        "options": options.model_dump(mode="json"),
        "data": data.data_digest,
    }
    if request.isolation != "none":
        comparable["isolation"] = request.isolation
    if earlier is not None:
        comparable["insights"] = earlier.digest
    name = digest(comparable)
    backend = re.sub(r"[^A-Za-z0-9._-]+", "-", request.backend)
    run_id = f"{spec.id}--{agent.name}@{backend}--s{request.seed}--{name[:8]}"
    return RunManifest(
        run_id=run_id,
        digest=name,
        task=spec.id,
        task_version=spec.version,
        scorer_version=registry.scorer(spec.scorer).version,
        agent=agent.name,
        agent_origin=agent.origin,
        backend=request.backend,
        seed=request.seed,
        base_model=request.base_model or spec.base_model,
        base_digest=base_digest,
        data_digest=data.data_digest,
        options=options.model_dump(mode="json"),
        budget=request.budget.model_dump(mode="json"),
        cluster=request.cluster,
        isolation=request.isolation,
        hardware={"class": hardware, "machine": platform.machine(), "cores": os.cpu_count()},
        versions=_versions(),
        config=dict(request.config),
        insights=earlier.data() if earlier is not None else {},
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )


def _backend(request: RunRequest, llm: LLM | None) -> list[Any]:
    """What of a backend makes results comparable: the model and how it is asked, not where."""
    if llm is None:
        return [request.backend, dict(request.backend_options)]
    options = {k: v for k, v in request.backend_options.items() if k not in _ON_THE_WAY}
    return [request.backend, llm.name, options]


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def open_directory(manifest: RunManifest, runs: Path, *, fresh: bool) -> RunPaths:
    """The directory of this run, new or to be taken up; its manifest is on disk afterwards.

    A run under another budget is another directory (`<run id>.2`), so that neither is lost and the
    sealed test of each is shot once. `fresh` moves an earlier run of the same budget aside.

    Raises:
        FtBenchError: where `fresh` meets a run that a live process holds.
    """
    number = 1
    while True:
        name = manifest.run_id if number == 1 else f"{manifest.run_id}.{number}"
        paths = RunPaths(runs / name)
        if not paths.manifest.exists():
            break
        if read_manifest(paths).budget == manifest.budget:
            if not fresh:
                return paths
            _move_aside(paths)
            break
        number += 1
    write_json(paths.manifest, manifest)
    return paths


def _move_aside(paths: RunPaths) -> None:
    if holder(paths) is not None:
        raise FtBenchError(
            f"{paths.root.name} is running; stop it first with `ft-bench runs stop "
            f"{paths.root.name}`"
        )
    number = 1
    while (target := paths.root.with_name(f"{paths.root.name}.old{number}")).exists():
        number += 1
    paths.root.rename(target)
