"""Code: the rung where a language model writes the training sets, in a sandbox.

A conversation that comes to nothing is no end of the node: the plan's own recipe is compiled in its
place, and the journal says so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ft_bench.plan import ExperimentPlan
from ft_bench.protocols import LLM, Brief, Lab, Limits, Sandbox
from ft_bench.tree import Node
from trex_agent.executor.conversation import Bounds, Conversation, Ending
from trex_agent.executor.jobs import Jobs
from trex_agent.executor.recipe import run_node, run_plain
from trex_agent.executor.shell import Shell
from trex_agent.executor.tools import MOST_SECONDS, Toolbox
from trex_agent.executor.workspace import Workspace
from trex_agent.insights import insights
from trex_agent.memory import memory
from trex_agent.prompts import render

__all__ = ["Code", "close", "instruction", "node_folder"]

LIMITS = Limits(memory_bytes=4 << 30, processes=256, file_bytes=512 << 20, disk_bytes=1 << 30)
MEMORY_TOKENS = 3_000
"""What an instruction shows of the tree at most; the Researcher sees 8,000 tokens of it."""
_WITHOUT = Path(__file__).parent / "without_aidp"


@dataclass(frozen=True)
class Code:
    """Carries nodes out with a language model.

    Args:
        llm: the model.
        sandbox: what confines its commands.
        aidp: whether it has AIDP, in the prompt and in the sandbox.
        bounds: how long a node's conversation may be.
        limits: of one command.
    """

    llm: LLM
    sandbox: Sandbox
    aidp: bool = True
    bounds: Bounds = field(default_factory=Bounds)
    limits: Limits = LIMITS

    def __call__(self, lab: Lab, node: int) -> None:
        """Hold the conversation of a node; whatever it leaves open is trained or given up.

        Raises:
            BudgetExhausted, JobFailed: from the Lab and from the model.
        """
        workspace = node_folder(lab.brief, node)
        jobs = Jobs(lab, node, workspace, self.aidp)
        toolbox = Toolbox(workspace, self._shell(lab.brief, workspace.root), jobs)
        talk = Conversation(lab, self.llm, node, toolbox, self._system(lab.brief), self.bounds)
        ending = talk.hold(instruction(lab, node))
        jobs.carry_out()
        workspace.forget()
        close(lab, node, ending, aidp=self.aidp)

    def _shell(self, brief: Brief, root: Path) -> Shell:
        data = (brief.train, brief.validation)
        if self.aidp:
            return Shell(self.sandbox, root, data, limits=self.limits)
        hidden = tuple(path for path in _homes_of_aidp() if path.is_dir())
        return Shell(self.sandbox, root, data, (_WITHOUT,), hidden=hidden, limits=self.limits)

    def _system(self, brief: Brief) -> str:
        return render(
            "executor",
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            library=_library(self.aidp),
            max_samples=brief.max_samples,
            most_seconds=int(MOST_SECONDS),
            memory=f"{self.limits.memory_bytes >> 30} GiB",
            disk=f"{self.limits.disk_bytes >> 30} GiB",
            turns=self.bounds.turns,
        )


def _library(aidp: bool) -> str:
    if not aidp:
        return "The library `datasets` and the standard library are all that you may use."
    from aidp.describe import catalogue_text

    return (
        "Prefer the operators of `aidp` to code of your own: `import aidp`, rows come from "
        '`aidp.load_local_dataset("train.jsonl")`, each operator takes a dataset and gives one '
        "back, and `.to_json(path)` of a dataset writes JSONL. These are all of them:\n\n"
        f"{catalogue_text()}\n"
    )


def _homes_of_aidp() -> Sequence[Path]:
    import aidp

    return [Path(place) for place in aidp.__path__]


def node_folder(brief: Brief, node: int) -> Workspace:
    """The workspace of a node, with the task's data beside what is written there."""
    data = {"train.jsonl": brief.train, "validation.jsonl": brief.validation}
    return Workspace(brief.workspace / f"node-{node:03d}", data)


def instruction(lab: Lab, node: int) -> str:
    """The Researcher's first instruction: the plan in words and as data, and what is known."""
    brief, entry = lab.brief, lab.tree.node(node)
    return render(
        "executor_round",
        node=node,
        objective=entry.plan.objective,
        strategy=entry.plan.strategy.replace("_", " "),
        hypothesis=entry.plan.hypothesis or "none was given",
        brief=brief.text.strip(),
        metric=brief.metric.name,
        direction="higher" if brief.metric.direction == "max" else "lower",
        base_model=brief.base_model,
        train_rows=brief.rows["train"],
        validation_rows=brief.rows["validation"],
        recipe=entry.plan.recipe.model_dump_json(indent=1, exclude_none=True),
        variants=_variants(entry.plan),
        parent=_parent(lab, entry),
        known=_known(lab, entry),
    )


def _variants(plan: ExperimentPlan) -> str:
    lines = []
    for index, (recipe, variant) in enumerate(plan.configurations()):
        scheme = variant.model_dump(mode="json", exclude_defaults=True, exclude={"recipe"})
        own = ""
        if recipe != plan.recipe:
            own = f"; its own data: {recipe.model_dump_json(exclude_none=True)}"
        lines.append(f"- variant {index}: {json.dumps(scheme, sort_keys=True)}{own}")
    return "\n".join(lines)


def _parent(lab: Lab, entry: Node) -> str:
    if entry.parent is None:
        return "This is the baseline."
    parent = lab.tree.node(entry.parent)
    value = lab.tree.value(parent.id)
    scored = f"scored {value:.4f}" if value is not None else "has no score"
    said = parent.diagnosis.text if parent.diagnosis else ""
    return f"Node {parent.id}, {parent.plan.objective!r}, {scored}. {said}".strip()


def _known(lab: Lab, entry: Node) -> str:
    """The memory at the node that the plan refines, within the Executor's share; kept for people.

    The plan itself, which the tree holds already, is left out.
    """
    if entry.parent is None:
        return "Nothing yet: this is the first node."
    nodes = {name: node for name, node in lab.tree.nodes.items() if name != entry.id}
    tree = replace(lab.tree, nodes=nodes)
    rules = [*insights(tree), *lab.brief.insights]
    known = memory(
        tree, entry.parent, limit=MEMORY_TOKENS, insights=rules, notes=tree.steering.notes
    )
    lab.keep(entry.id, "executor_context.md", known)
    return known


def close(lab: Lab, node: int, ending: Ending, *, aidp: bool) -> None:
    """Journal how a conversation ended; where nothing was trained, compile the plan's own recipe.

    Raises:
        BudgetExhausted, JobFailed: as `run_node`.
    """
    fallback = "" if _tried(lab, node) else "recipe"
    lab.agree(f"executor {node}", lambda: {**asdict(ending), "fallback": fallback})
    if fallback:
        (run_node if aidp else run_plain)(lab, node)
        if not _tried(lab, node):
            lab.give_up(node, ending.why or "the Executor finished without any training set")


def _tried(lab: Lab, node: int) -> bool:
    """Whether any variant came as far as a training."""
    return any(
        outcome.trained is not None
        or (outcome.failure is not None and outcome.failure.phase != "build")
        for outcome in lab.tree.node(node).outcomes
    )
