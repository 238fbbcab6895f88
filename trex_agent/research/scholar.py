"""Scholar: the Researcher with a language model; rules propose where it gives nothing of use."""

from __future__ import annotations

import json
from dataclasses import replace

from ft_bench.digest import digest
from ft_bench.errors import PlanInvalid
from ft_bench.plan import ExperimentPlan, Provenance
from ft_bench.protocols import LLM, Lab
from ft_bench.tree import Outcome, Tree
from trex_agent.insights import insights
from trex_agent.memory import memory
from trex_agent.prompts import prompt_hash, render
from trex_agent.research.draft import Choice, Draft, Rules, free_operators, plan_of
from trex_agent.research.inquiry import MOST_TURNS, Inquiry, Unreadable, json_in
from trex_agent.research.requirements import Requirements, analyse
from trex_agent.researcher import Researcher
from trex_agent.search.closing import closed_strategies
from trex_agent.tools.arxiv import arxiv_tools
from trex_agent.tools.bench import bench_tools
from trex_agent.tools.history import history_tool
from trex_agent.tools.hub import hub_tools
from trex_agent.tools.toolbox import Toolbox

__all__ = ["Scholar"]

_PROMPTS = ("researcher", "requirements", "strategy", "plan", "repair")
_TOUCH = {"adjust_training_scheme": "the training scheme"}


class Scholar:
    """Proposes the plan of each node with a language model.

    Coarse to fine: a research brief once, then for each node a strategy, then a typed plan. An
    answer that cannot be used after two repairs is replaced by the rules' own proposal, which says
    so in its provenance.

    Args:
        lab: meters and journals.
        llm: who is asked.
        rules: the Researcher without a model.
        max_work: the most rows that a training may see, in multiples of the baseline's.
        aidp: without it, a recipe has sources and caps but no operators.
    """

    def __init__(
        self, lab: Lab, llm: LLM, rules: Researcher, *, max_work: float = 3.0, aidp: bool = True
    ) -> None:
        self.lab, self.llm, self.rules = lab, llm, rules
        self.max_work, self.aidp = max_work, aidp
        history = history_tool(lambda: lab.tree)
        tools = [*arxiv_tools(), *hub_tools(), history, *bench_tools(lab)]
        self.toolbox = Toolbox(lab, tools)
        self._requirements: Requirements | None = None

    def baseline(self, variants: int) -> ExperimentPlan:
        """The root: the same small grid as without a model; the research brief is written first."""
        self._analysed()
        return self.rules.baseline(variants)

    def propose(self, tree: Tree, parent: int) -> ExperimentPlan | None:
        """A plan that refines `parent`, None where neither the model nor the rules have one.

        Raises:
            BudgetExhausted, ModelFailed: from the Lab and the model.
        """
        best = tree.node(parent).best(tree.direction)
        if best is None:
            return None
        node = len(tree)
        rules = [*insights(tree), *self.lab.brief.insights]
        known = memory(tree, parent, insights=rules, notes=tree.steering.notes)
        self.lab.keep(node, "context.md", known)
        inquiry = Inquiry(self.lab, self.llm, self.toolbox, node, f"from {parent}{_again(tree)}")
        try:
            choice = self._choice(inquiry, tree, parent, known)
            return self._planned(inquiry, choice, tree, parent, best, known)
        except Unreadable as failed:
            return self._by_rules(tree, parent, str(failed))

    def _analysed(self) -> Requirements:
        if self._requirements is None:
            inquiry = Inquiry(self.lab, self.llm, Toolbox(self.lab, []), 0)
            self._requirements = analyse(inquiry, self.rules.brief, self.rules.survey)
        return self._requirements

    def _choice(self, inquiry: Inquiry, tree: Tree, parent: int, known: str) -> Choice:
        left = self.lab.agree(f"left at node {inquiry.node}", lambda: _left(self.lab))
        closed = closed_strategies(tree, parent)

        def read(text: str) -> Choice:
            choice = Choice.model_validate(json_in(text))
            if choice.strategy in closed:
                raise PlanInvalid(
                    f"strategy {choice.strategy!r} failed alike three times at node {parent}; "
                    "choose another"
                )
            return choice

        question = render(
            "strategy",
            node=inquiry.node,
            parent=parent,
            requirements=self._analysed().model_dump_json(indent=1),
            memory=known,
            left=left,
            wishes=_wishes(tree),
            turns=MOST_TURNS,
            schema=json.dumps(Choice.model_json_schema()),
        )
        return inquiry.answer("strategy", question, read)

    def _planned(
        self,
        inquiry: Inquiry,
        choice: Choice,
        tree: Tree,
        parent: int,
        best: Outcome,
        known: str,
    ) -> ExperimentPlan:
        rules = self._rules(tree, parent, best)
        question = render(
            "plan",
            node=inquiry.node,
            parent=parent,
            strategy=choice.strategy,
            touch=_TOUCH.get(choice.strategy, "the recipe"),
            least=rules.least,
            most=rules.variants,
            most_samples=rules.most_samples,
            recipe=best.recipe.model_dump_json(indent=1, exclude_none=True),
            scheme=best.variant.scheme().model_dump_json(exclude={"recipe", "replica"}),
            sources=", ".join(("train", *rules.sources)),
            operators=_operators() if rules.aidp else "none: AIDP is switched off",
            schema=json.dumps(Draft.model_json_schema()),
        )

        def read(text: str) -> ExperimentPlan:
            draft = Draft.model_validate(json_in(text))
            return plan_of(draft, choice.strategy, rules, self._provenance(inquiry, known))

        return inquiry.answer("plan", question, read)

    def _provenance(self, inquiry: Inquiry, known: str) -> Provenance:
        return Provenance(
            kind="llm",
            model=inquiry.model,
            prompt_hash=prompt_hash(*_PROMPTS),
            context_hash=digest(known)[:16],
        )

    def _rules(self, tree: Tree, parent: int, best: Outcome) -> Rules:
        brief = self.rules.brief
        first = self.rules.space.roots(1)[0]
        return Rules(
            brief=brief,
            tree=tree,
            at=parent,
            parent=best,
            most_samples=int(self.max_work * (first.samples or 1)),
            variants=min(5, brief.max_variants),
            aidp=self.aidp,
            allows=self.rules.space.allows,
            sources=tuple(s.id for s in best.recipe.sources if s.id != "train"),
        )

    def _by_rules(self, tree: Tree, parent: int, why: str) -> ExperimentPlan | None:
        plan = self.rules.propose(tree, parent)
        if plan is None:
            return None
        marked = Provenance(
            kind=f"rules, as the model gave no usable plan: {why[:300]}",
            model=self.llm.name,
            prompt_hash=prompt_hash(*_PROMPTS),
        )
        return plan.model_copy(update={"provenance": marked})


def _again(tree: Tree) -> str:
    """What tells the questions of a plan that follows refused ones apart."""
    return f", refused {len(tree.refused)}" if tree.refused else ""


def _wishes(tree: Tree) -> str:
    """What a person has ordered, and the plans that were refused, in words."""
    orders = [f"- {line}" for line in replace(tree.steering, notes="").words()]
    refused = [
        f"- refused: {body.plan.objective[:200]} ({body.reason[:200] or 'no reason given'})"
        for body in tree.refused[-5:]
    ]
    return "\n".join([*orders, *refused]) or "- none"


def _left(lab: Lab) -> str:
    left = lab.remaining()
    named = {
        "rounds": left.iterations,
        "device-seconds": left.device_seconds,
        "tokens": left.tokens,
        "USD": left.usd,
    }
    return ", ".join(
        f"{value:.6g} {name}" for name, value in named.items() if value != float("inf")
    )


def _operators() -> str:
    import aidp

    allowed = set(free_operators())
    return "\n".join(
        f"- {entry['name']}{entry['signature']}: {entry['summary']}"
        for entry in aidp.catalogue()
        if entry["name"] in allowed
    )
