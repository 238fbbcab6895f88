"""Suite: many runs from one wish; tasks times seeds, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ft_bench import registry
from ft_bench.config import Config
from ft_bench.doors.entrant import entrant
from ft_bench.errors import UnknownName, UsageError
from ft_bench.request import Homes, RunRequest

__all__ = ["SUITES", "homes", "requests"]

SUITES: Mapping[str, tuple[str, ...]] = {
    "lite": ("mini", "sst2", "hoc"),
    "all": (
        "aci_bench",
        "tomg_bench",
        "omebench",
        "hoc",
        "cs_bench",
        "openfindata",
        "sst2",
        "econlogicqa",
        "gta",
        "lawbench",
    ),
}


def homes(config: Config) -> Homes:
    """Where things live."""
    return Homes(
        cache=config.cache_dir.expanduser().resolve(),
        private=config.private_dir.expanduser().resolve(),
        runs=config.runs_dir.expanduser().resolve(),
    )


def requests(
    tasks: Sequence[str],
    suite: str | None,
    config: Config,
    *,
    options: Mapping[str, str],
    backend_options: Mapping[str, str],
    fresh: bool = False,
) -> list[RunRequest]:
    """One request for each task and seed; names are checked before any work.

    Raises:
        UsageError: where neither tasks nor a suite are given, or both.
        UnknownName: for a task, suite, agent, backend or cluster that is not there.
    """
    if bool(tasks) == bool(suite):
        raise UsageError(
            f"expected either TASK... or --suite {'|'.join(SUITES)}; see `ft-bench tasks list`"
        )
    if suite is not None and suite not in SUITES:
        raise UnknownName("suite", suite, SUITES)
    names = list(dict.fromkeys(tasks or SUITES[suite or "lite"]))
    for name in names:
        registry.task(name)
    _check_names(config)
    shared = {
        "agent": config.agent,
        "backend": config.backend,
        "homes": homes(config),
        "base_model": config.base_model,
        "budget": config.budget.budget(),
        "options": dict(options),
        "backend_options": dict(backend_options),
        "cluster": config.cluster,
        "slots": config.slots,
        "isolation": config.isolation,
        "data_dir": config.data_dir.expanduser().resolve() if config.data_dir else None,
        "job_seconds": config.job_seconds,
        "insights": config.insights.expanduser().resolve() if config.insights else None,
        "fresh": fresh,
        "config": config.model_dump(mode="json", include={"seeds", "job_seconds", "cluster"}),
    }
    return [
        RunRequest(task=name, seed=config.seed + number, **shared)  # type: ignore[arg-type]
        for name in names
        for number in range(config.seeds)
    ]


def _check_names(config: Config) -> None:
    entrant(config.agent)
    places = (("llm", config.backend), ("cluster", config.cluster), ("sandbox", config.isolation))
    for kind, name in places:
        registry.backend(kind, name)
    if config.data_dir is not None and not config.data_dir.expanduser().is_dir():
        raise UsageError(f"--data-dir {str(config.data_dir)!r} is no folder; expected one")
