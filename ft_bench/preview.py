"""Preview: what a run would do, what is missing for it, and what it can cost at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ft_bench import registry
from ft_bench.doors.entrant import entrant
from ft_bench.errors import FtBenchError, PrerequisiteError
from ft_bench.prepare import Sources, prepared
from ft_bench.request import RunRequest, agent_options, connected

__all__ = ["Preview", "preview"]


@dataclass(frozen=True, slots=True)
class Preview:
    """A resolved run before any work. `missing` holds one sentence for each thing to be done."""

    request: RunRequest
    base_model: str
    options: dict[str, Any]
    missing: tuple[str, ...]
    most_trainings: int

    def data(self) -> dict[str, Any]:
        """As JSON data."""
        request = self.request
        return {
            "task": request.task,
            "agent": request.agent,
            "backend": request.backend,
            "seed": request.seed,
            "base_model": self.base_model,
            "options": self.options,
            "budget": request.budget.model_dump(mode="json"),
            "missing": list(self.missing),
            "worst_case": self.worst_case(),
        }

    def worst_case(self) -> dict[str, float | int | None]:
        """The most that the run may use of each limit; None where there is none."""
        budget = self.request.budget
        return {
            "trainings": self.most_trainings,
            "device_seconds": budget.device_seconds,
            "wall_seconds": budget.wall_seconds,
            "usd": budget.usd,
            "tokens": budget.tokens,
        }

    def lines(self) -> list[str]:
        """For a person."""
        request, worst = self.request, self.worst_case()
        hours = worst["device_seconds"]
        return [
            f"{request.task}: {request.agent}@{request.backend}, seed {request.seed}, base "
            f"{self.base_model or '(none given)'}",
            f"  at most {self.most_trainings} trainings in the search, "
            f"{'no limit of' if hours is None else f'{hours / 3600:g}'} device-hours",
            *(f"  missing: {text}" for text in self.missing),
        ]


def preview(request: RunRequest) -> Preview:
    """Resolve a request without doing any work."""
    spec = registry.task(request.task)
    options = agent_options(entrant(request.agent), request.options)
    missing = []
    try:
        registry.backend("sandbox", request.isolation)().check()
    except PrerequisiteError as absent:
        missing.append(str(absent))
    try:
        connected(request)
    except PrerequisiteError as absent:
        missing.append(str(absent))
    try:
        prepared(spec, request.homes.cache, request.homes.private)
    except FtBenchError as absent:
        if spec.sources and request.data_dir is None:
            missing.append(str(absent))
    if request.data_dir is not None and spec.sources:
        try:
            Sources(spec, request.data_dir, request.homes.cache / "sources" / spec.id).verify()
        except FtBenchError as wrong:
            missing.append(str(wrong))
    base = request.base_model or spec.base_model
    if not base:
        missing.append("a base model: give --base-model tiny, a folder, or a hub id")
    nodes = request.budget.iterations + 1
    return Preview(
        request=request,
        base_model=base,
        options=options.model_dump(mode="json"),
        missing=tuple(missing),
        most_trainings=nodes * request.budget.variants if request.budget.iterations else 0,
    )
