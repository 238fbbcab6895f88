"""TREX: an agent that searches a tree of fine-tuning plans (arXiv 2604.14116)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ft_bench.digest import derive_seed
from ft_bench.errors import BudgetExhausted, PlanRefused
from ft_bench.plan import ExperimentPlan
from ft_bench.protocols import LLM, Lab
from ft_bench.record import Diagnosis
from ft_bench.tree import Tree
from trex_agent.confirm import confirm, verdict
from trex_agent.diagnosis import Depth, diagnose
from trex_agent.executor import carry_out
from trex_agent.executor.conversation import Bounds
from trex_agent.executor.ladder import Confinement, Rung, executor_of
from trex_agent.executor.openhands import Remote
from trex_agent.insights import insights
from trex_agent.naming import namer
from trex_agent.open_space import Look, open_look
from trex_agent.research import Scholar
from trex_agent.researcher import Researcher
from trex_agent.search.policy import Select, policy

__all__ = ["Trex", "TrexOptions"]


class TrexOptions(BaseModel):
    """What `-A key=value` may set.

    `variants` is how many configurations a node tries, `root_variants` how many the baseline;
    `confirm_top` configurations are trained under `confirm_seeds` fresh seeds at the end;
    no training may cost over `max_work` times the baseline's rows seen; `patience` ends the
    search after so many nodes without a new best, `failures` after so many failed ones in a row;
    `diagnosis` "metrics" compares scores alone and looks at no bad case; groups of bad cases are
    named by the language model where it plans (`labels` "auto") or in any case ("model"), or by
    their terms.
    `researcher` is who plans: the language model where the backend is one ("auto"), or rules.
    `executor` is who carries nodes out; one with a language model talks for at most `rounds` of
    `turns` each and `executor_tokens` a node, and its commands run in `sandbox`. Without `aidp`
    neither it nor the plans have AIDP's operators. `openhands_*` say where an OpenHands agent
    server is, its folder and model, and what a round there may cost and take.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    search: Literal["mcts", "paper", "gbfs", "gbfs-cap", "ses", "random"] = "mcts"
    variants: int = Field(default=3, ge=1, le=8)
    root_variants: int = Field(default=3, ge=1, le=5)
    confirm_top: int = Field(default=3, ge=0)
    confirm_seeds: int = Field(default=2, ge=0)
    patience: int = Field(default=13, ge=1)
    failures: int = Field(default=5, ge=1)
    max_work: float = Field(default=3.0, gt=0)
    surrogate: bool = True
    diagnosis: Depth = "full"
    labels: Literal["auto", "model", "terms"] = "auto"
    researcher: Literal["auto", "rules"] = "auto"
    executor: Rung = "recipe"
    aidp: bool = True
    rounds: int = Field(default=2, ge=1, le=10)
    turns: int = Field(default=24, ge=1, le=200)
    executor_tokens: int = Field(default=400_000, ge=1)
    sandbox: Confinement = "bwrap"
    openhands_url: str = "http://127.0.0.1:8000"
    openhands_folder: str = Field(default="/workspace/ft-bench", pattern="^/")
    openhands_model: str = ""
    openhands_model_url: str = ""
    openhands_usd: float = Field(default=5.0, ge=0)
    openhands_seconds: float = Field(default=3600.0, gt=0)

    def remote(self) -> Remote:
        """The agent server of the openhands rung."""
        return Remote(
            url=self.openhands_url,
            folder=self.openhands_folder,
            model=self.openhands_model,
            model_url=self.openhands_model_url,
            seconds=self.openhands_seconds,
            usd=self.openhands_usd,
        )


class Trex:
    """The outer loop: select, propose, execute, diagnose; confirm at the end.

    Args:
        options: what `-A key=value` set.
        backend: the language model, None for rules.
        look: how the pool's faults and the space of recipes are found; by default by survey.
    """

    name = "trex"
    Options: type[TrexOptions] = TrexOptions

    def __init__(self, options: TrexOptions, backend: LLM | None, look: Look | None = None) -> None:
        self.options, self.backend = options, backend
        self.look = look or open_look(options.max_work, aidp=options.aidp)
        self.execute = executor_of(
            options.executor,
            backend,
            aidp=options.aidp,
            bounds=Bounds(options.rounds, options.turns, options.executor_tokens),
            sandbox=options.sandbox,
            remote=options.remote(),
        )

    def run(self, lab: Lab) -> None:
        """Search until a limit, then confirm and submit. A function of what the Lab shows."""
        try:
            self._work(lab)
        except BudgetExhausted:
            self._submit(lab)
            raise
        self._submit(lab)

    def _work(self, lab: Lab) -> None:
        options, most = self.options, lab.brief.max_variants
        sight = self.look(lab.brief)
        rules = Researcher(
            lab.brief,
            sight.survey,
            min(options.variants, most),
            space=sight.space,
            use_surrogate=options.surrogate,
        )
        lab.steering()
        researcher = self._researcher(lab, rules)
        first = researcher.baseline(min(options.root_variants, most))
        carry_out(lab, lab.propose(None, first), self._look, self.execute)
        self._search(lab, researcher)
        confirm(lab, options.confirm_top, options.confirm_seeds)

    def _researcher(self, lab: Lab, rules: Researcher) -> Researcher | Scholar:
        """Whoever plans: a language model where there is one and it is wanted."""
        if self.backend is None or self.options.researcher == "rules":
            return rules
        options = self.options
        return Scholar(lab, self.backend, rules, max_work=options.max_work, aidp=options.aidp)

    def _look(self, lab: Lab, node: int) -> Diagnosis:
        if self.backend is not None and self._names():
            return diagnose(lab, node, self.options.diagnosis, namer(lab, self.backend, node))
        return diagnose(lab, node, self.options.diagnosis)

    def _names(self) -> bool:
        """Whether the model names groups of bad cases."""
        labels = self.options.labels
        return labels == "model" or (labels == "auto" and self.options.researcher == "auto")

    def _submit(self, lab: Lab) -> None:
        chosen = verdict(lab.tree, self.options.confirm_top)
        if chosen is not None:
            lab.submit(*chosen)
        lab.agree("insights", lambda: insights(lab.tree))

    def _search(self, lab: Lab, researcher: Researcher | Scholar) -> None:
        select = policy(self.options.search)
        while lab.remaining().iterations > 0 and not _stuck(lab.tree, self.options):
            lab.steering()
            found = _next(lab, select, researcher)
            if found is None:
                return
            try:
                node = lab.propose(*found)
            except PlanRefused:
                continue
            if lab.tree.node(node).status != "running":
                return  # a plan that was carried out already opens no node: nothing new is left
            carry_out(lab, node, self._look, self.execute)
            lab.agree(f"insights {node}", lambda: insights(lab.tree))


def _next(
    lab: Lab, select: Select, researcher: Researcher | Scholar
) -> tuple[int, ExperimentPlan] | None:
    """Where to go on and how; a node where nothing is left to try is passed over."""
    tree = lab.tree
    rng = np.random.default_rng(derive_seed(lab.brief.seed, "select", len(tree)))
    while (parent := select(tree, rng)) is not None:
        plan = researcher.propose(lab.tree, parent)
        if plan is not None:
            return parent, plan
        tree = replace(tree, steering=tree.steering.closing(parent))
    return None


def _stuck(tree: Tree, options: TrexOptions) -> bool:
    """Whether the search has stopped paying: patience, failures in a row."""
    verdicts = [node.diagnosis.verdict for node in tree if node.diagnosis is not None]
    last = next(
        (i for i, v in enumerate(reversed(verdicts)) if v in ("new best", "baseline")),
        len(verdicts),
    )
    failed = next((i for i, v in enumerate(reversed(verdicts)) if v != "failed"), len(verdicts))
    return last >= options.patience or failed >= options.failures
