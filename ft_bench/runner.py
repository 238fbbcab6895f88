"""Runner: one (agent, backend, task, seed), from a request to a result card.

The failure policy is one table (`policy`); whatever happens, the card says what and why.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ft_bench import registry
from ft_bench.base import Base, resolve_base
from ft_bench.dataset import Datasets
from ft_bench.doors.entrant import Competitor, entrant
from ft_bench.earlier import Earlier, read_earlier
from ft_bench.errors import (
    AgentFailed,
    BudgetExhausted,
    FtBenchError,
    IntegrityError,
    JobFailed,
    PlanRefused,
    boundary,
)
from ft_bench.evidence import Evidence, settled_card
from ft_bench.files import write_json
from ft_bench.finish import finish
from ft_bench.lab import BASE, MeteredLab, Setting
from ft_bench.ledger import Ledger
from ft_bench.prepare import Prepared, prepare
from ft_bench.protocols import Approve, Cluster
from ft_bench.record import Card, CardStatus, Event
from ft_bench.request import RunRequest, agent_options, connected, manifest_of, open_directory
from ft_bench.store import Journal, RunPaths
from ft_bench.tree import Tree

__all__ = ["Ending", "Prelude", "policy", "run"]

Watch = Callable[[Event], None]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ending:
    """How the agent's part of a run ended, and what the harness does about it."""

    status: CardStatus
    reason: str
    grade: bool = True


def policy(error: FtBenchError | None) -> Ending:
    """The failure policy: one table.

    ====================  ==================  ==========================================
    what ended the agent  status              what is scored
    ====================  ==================  ==========================================
    nothing               complete            the best node, or the one it named
    a limit               complete            what there is
    a person's "no"       complete            what there is
    its own code          agent_failed        its best node
    the machine           infrastructure      nothing: take the run up again
    an integrity error    integrity           nothing: gain 0, flagged
    ====================  ==================  ==========================================

    A run without any valid model becomes `no_valid_model` and is scored on its base: gain 0. A
    model that cannot be loaded gets the metric's floor from the grader.
    """
    match error:
        case None:
            return Ending("complete", "the agent ended")
        case BudgetExhausted():
            return Ending("complete", f"budget: {error}")
        case PlanRefused():
            return Ending("complete", f"{error}, and the agent proposed nothing else")
        case JobFailed(kind="INFRA"):
            return Ending("infrastructure", str(error), grade=False)
        case IntegrityError():
            return Ending("integrity", str(error), grade=False)
        case _:
            return Ending("agent_failed", str(error))


@dataclass(frozen=True, slots=True)
class Prelude:
    """What is resolved before a run begins: data, base model, agent, rules of earlier runs."""

    data: Prepared
    base: Base
    agent: Competitor
    options: Any
    earlier: Earlier


def run(
    request: RunRequest,
    watch: Watch = lambda _: None,
    say: Say = lambda _: None,
    approve: Approve | None = None,
) -> Card:
    """Run, or take up, what was asked for; a run that is complete is answered from its card.

    Args:
        request: what to run.
        watch: told each event once it is on disk.
        say: told in words what is going on before there are events.
        approve: asks a person about each plan below the root; None asks nobody.

    Raises:
        UsageError, PrerequisiteError: before any work.
        StoreBusy: where another process holds the run.
        JobFailed: where the machine failed twice; the run can be taken up again.
    """
    agent = entrant(request.agent)
    options = agent_options(agent, request.options)
    llm = connected(request)
    spec = registry.task(request.task)
    registry.backend("sandbox", request.isolation)().check()
    make_cluster = registry.backend("cluster", request.cluster)
    cluster: Cluster = make_cluster(slots=request.slots)
    try:
        say(f"preparing {spec.id}")
        data = prepare(spec, request.homes.cache, request.homes.private, data_dir=request.data_dir)
        base = resolve_base(request.base_model or spec.base_model, data, request.homes.cache, say)
        competitor = agent.make(options, llm, request.isolation)
        earlier = read_earlier(request.insights, spec.id) if request.insights else None
        manifest = manifest_of(
            request, agent, data, options, base.digest, cluster.hardware, llm, earlier
        )
        paths = open_directory(manifest, request.homes.runs, fresh=request.fresh)
        say(f"run {paths.root.name}")
        if paths.card.exists():
            return settled_card(paths, request.homes.private)
        return _Run(
            request,
            Prelude(data, base, competitor, options, earlier or Earlier()),
            paths,
            cluster,
            watch,
            approve,
        ).card()
    finally:
        cluster.close()


class _Run:
    """A run with its journal open."""

    def __init__(
        self,
        request: RunRequest,
        prelude: Prelude,
        paths: RunPaths,
        cluster: Cluster,
        watch: Watch,
        approve: Approve | None,
    ) -> None:
        self.request, self.prelude, self.paths, self.cluster = request, prelude, paths, cluster
        self.watch, self.approve = watch, approve

    def card(self) -> Card:
        """Base, agent, selection, test, card."""
        journal = Journal(self.paths, self.watch, self.request.homes.private)
        try:
            journal.open_attempt()
            lab = self._lab(journal)
            lab.evaluate(BASE)
            evidence = Evidence(lab)
            ending = self._agent(lab)
            evidence.restore()
            if not ending.grade:
                raise _ungraded(ending)
            card = finish(lab, self.prelude.base, self.request, ending.status, ending.reason)
            write_json(self.paths.card, card)
            shutil.rmtree(self.paths.tokens, ignore_errors=True)
            return card
        finally:
            journal.close()

    def _agent(self, lab: MeteredLab) -> Ending:
        if self.request.budget.iterations == 0:
            return Ending("complete", "no iterations: the base alone is scored")
        error: FtBenchError | None = None
        try:
            with boundary(AgentFailed, f"the agent {self.request.agent} was running"):
                self.prelude.agent.run(lab)
        except FtBenchError as raised:
            error = raised
        return policy(error)

    def _lab(self, journal: Journal) -> MeteredLab:
        request, prelude = self.request, self.prelude
        spec = prelude.data.spec
        direction: Literal["max", "min"] = spec.metric.direction
        ledger = Ledger(
            journal,
            request.budget,
            tree=Tree(direction=direction),
            slots=self.cluster.slots,
            job_seconds=request.job_seconds,
        )
        setting = Setting(
            data=prelude.data,
            scorer=registry.scorer(spec.scorer),
            base=prelude.base.ref,
            base_name=prelude.base.name,
            base_parameters=prelude.base.parameters,
            seed=request.seed,
            budget=request.budget,
            job_seconds=request.job_seconds,
            insights=prelude.earlier.rules,
        )
        workspace: Path = self.paths.root / "workspace"
        builder = registry.backend("build", "aidp")
        datasets = Datasets(prelude.data, self.paths.datasets, builder, workspace)
        return MeteredLab(setting, ledger, self.cluster, datasets, self.approve)


def _ungraded(ending: Ending) -> FtBenchError:
    if ending.status == "integrity":
        return IntegrityError(ending.reason)
    return JobFailed("INFRA", f"{ending.reason}; the same command takes the run up again")
