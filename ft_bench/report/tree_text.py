"""Tree text: the search tree, and one node of it, as lines for a terminal without colours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ft_bench.plan import ExperimentPlan, changes
from ft_bench.record import Built, Diagnosis, Planned
from ft_bench.report.cells import cut, field, pad, width_of, wrap
from ft_bench.report.figures import count, number, percent, score, seconds, signed
from ft_bench.report.recipe import (
    change_words,
    overlap_words,
    passages,
    recipe_words,
    scheme_words,
)
from ft_bench.tree import Node, Outcome, Tree

__all__ = [
    "STRATEGIES",
    "changed_words",
    "delta_to_parent",
    "node_text",
    "node_verdict",
    "own_recipe_words",
    "plan_text",
    "steering_words",
    "tree_text",
    "walk",
]

STRATEGIES = {
    "establish_baseline": "baseline",
    "refine_data_pipeline": "data",
    "construct_synthetic_data": "synthesis",
    "adjust_training_scheme": "scheme",
}
_LEGEND = "✓ scored, ✗ failed, … running; > on the path to the selected node, * selected"
_MARKS = {"succeeded": "✓", "failed": "✗", "running": "…"}


@dataclass(frozen=True, slots=True)
class Place:
    """A node with where it hangs: how deep, and for each level whether more siblings follow."""

    node: Node
    more: tuple[bool, ...]


def walk(tree: Tree) -> Iterator[Place]:
    """Every node once, parents before children, older before younger."""
    children: dict[int | None, list[Node]] = {}
    for node in tree:
        children.setdefault(node.parent, []).append(node)
    roots = children.get(None, [])
    stack = [Place(node, ()) for node in reversed(roots)]
    while stack:
        place = stack.pop()
        yield place
        below = children.get(place.node.id, [])
        last = len(below) - 1
        stack += [Place(below[i], (*place.more, i < last)) for i in range(last, -1, -1)]


def _rails(more: tuple[bool, ...], width: int) -> str:
    """The lines that lead to a node; a deep one shows its depth instead of every level."""
    if not more:
        return ""
    levels = more[:-1]
    room = max(1, width // 6)
    hidden = len(levels) - room
    shown = "".join("│ " if open_ else "  " for open_ in levels[max(0, hidden) :])
    return (f"+{hidden} " if hidden > 0 else "") + shown + ("├─" if more[-1] else "└─")


def node_verdict(node: Node) -> str:
    """The verdict of a node's diagnosis, or its status where it has none."""
    return node.diagnosis.verdict if node.diagnosis is not None else node.status


def _before(tree: Tree, node: Node) -> float | None:
    """What a node's value is compared with: its parent's, at the root the base's."""
    if node.parent is None:
        return tree.base.value if tree.base else None
    return tree.value(node.parent)


def delta_to_parent(tree: Tree, node: Node) -> float | None:
    """A node's value less its parent's (at the root: the base's), None where one is missing."""
    value, before = tree.value(node.id), _before(tree, node)
    return None if value is None or before is None else value - before


def tree_text(tree: Tree, selected: tuple[int, int] | None, width: int = 80) -> str:
    """The search tree, one line a node, cut at `width` columns.

    Args:
        tree: of the run so far.
        selected: node and variant that went to the test; None before there is one, or where it
            is the base.
        width: of the terminal.
    """
    path = _path(tree, selected)
    lines = wrap(_summary(tree), width)
    for place in walk(tree):
        lines.append(_line(tree, place, path, width))
    if len(tree):
        lines += ["", *wrap(_LEGEND, width)]
    for words in steering_words(tree):
        lines += wrap(words, width)
    return "\n".join(lines) + "\n"


def steering_words(tree: Tree) -> list[str]:
    """What a person has asked of the run, and the plans that one has refused, one line each."""
    refused = [
        f"refused below node {body.parent}: {body.plan.objective}"
        + (f" ({body.reason})" if body.reason else "")
        for body in tree.refused
    ]
    return [*tree.steering.words(), *refused]


def plan_text(tree: Tree, parent: int, plan: ExperimentPlan, width: int) -> str:
    """A plan that is no node yet: what it would do, and how it differs from its parent's best."""
    node = Tree(direction=tree.direction).with_body(Planned(node=len(tree), parent=None, plan=plan))
    asked = replace(node.node(len(tree)), parent=parent)
    title = f"Node {len(tree)} would refine node {parent}: {STRATEGIES[plan.strategy]}"
    lines = wrap(title, width)
    for label, text in _plan(tree, asked):
        lines += field(label, text, width)
    for outcome in asked.outcomes:
        lines += _variant(asked, outcome, width)
    return "\n".join(lines) + "\n"


def _path(tree: Tree, selected: tuple[int, int] | None) -> list[int]:
    if selected is None or selected[0] not in tree.nodes:
        return []
    return [node.id for node in tree.path(selected[0])]


def _summary(tree: Tree) -> str:
    if not len(tree):
        base = f"; the base scores {number(tree.base.value)}" if tree.base else ""
        return f"No node yet{base}."
    failed = sum(node.status == "failed" for node in tree)
    best = tree.best()
    parts = [count(len(tree), "node") + (f", {failed} failed" if failed else "")]
    if tree.base is not None:
        parts.append(f"base {number(tree.base.value)}")
    if best is not None:
        parts.append(f"best {number(tree.value(best[0].id))} at node {best[0].id}")
    return "; ".join(parts) + (" (lower is better)" if tree.direction == "min" else "")


def _line(tree: Tree, place: Place, path: list[int], width: int) -> str:
    node = place.node
    mark = " "
    if node.id in path:
        mark = "*" if node.id == path[-1] else ">"
    head = f"{mark} {_rails(place.more, width)}{_MARKS[node.status]} {node.id}"
    parts = [
        pad(head, min(18, width // 3)),
        pad(number(tree.value(node.id)), 6, right=True),
        pad(signed(delta_to_parent(tree, node)), 7, right=True),
        pad(node_verdict(node), 8),
        pad(STRATEGIES[node.plan.strategy], 9),
        cut(node.plan.objective, width),
    ]
    return _within(" ".join(parts), width)


def _within(line: str, width: int) -> str:
    """The line cut to `width` columns, its leading blanks kept."""
    if width_of(line) <= width:
        return line.rstrip()
    kept = line
    while width_of(kept) > width - 1:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def node_text(tree: Tree, node: Node, width: int = 80) -> str:
    """One node whole: plan, difference to its parent, datasets, variants and diagnosis."""
    parent = "the root" if node.parent is None else f"from node {node.parent}"
    title = f"Node {node.id}, {parent}: {STRATEGIES[node.plan.strategy]}, {node_verdict(node)}"
    fields = [*_plan(tree, node), *_datasets(node)]
    lines = wrap(title, width)
    for label, text in fields:
        lines += field(label, text, width)
    for outcome in node.outcomes:
        lines += ["", *_variant(node, outcome, width)]
    if node.diagnosis is not None:
        lines += ["", *_diagnosis(node.diagnosis, width)]
    return "\n".join(lines) + "\n"


def _listed(label: str, texts: list[str]) -> list[tuple[str, str]]:
    return [(label if not place else "", text) for place, text in enumerate(texts)]


def _plan(tree: Tree, node: Node) -> list[tuple[str, str]]:
    plan = node.plan
    fields = [("objective", plan.objective)]
    if plan.hypothesis:
        fields.append(("hypothesis", plan.hypothesis))
    fields += _listed("evidence", list(plan.evidence))
    effect = plan.expected_effect
    if effect is not None:
        ends = f"{signed(effect.delta)} ({signed(effect.low)} to {signed(effect.high)})"
        wrong = f"; wrong if {effect.falsified_if}" if effect.falsified_if else ""
        fields.append(("expected", ends + wrong))
    fields += _listed("recipe", recipe_words(plan.recipe))
    fields += _listed("changed", changed_words(tree, node))
    origin = f"{plan.provenance.kind} {plan.provenance.model}".strip()
    return [*fields, ("proposed by", origin)]


def changed_words(tree: Tree, node: Node) -> list[str]:
    """What a node's best variant (or its first) changed against its parent's best."""
    if node.parent is None:
        return []
    before = tree.node(node.parent).best(tree.direction)
    after = node.best(tree.direction) or node.outcomes[0]
    if before is None:
        return ["unknown: the parent has no scored variant"]
    made = changes((before.recipe, before.variant), (after.recipe, after.variant))
    return [change_words(change) for change in made] or ["nothing"]


def own_recipe_words(node: Node, outcome: Outcome) -> list[str]:
    """Where a variant's recipe is not the plan's: what is different."""
    if outcome.recipe == node.plan.recipe:
        return []
    made = changes((node.plan.recipe, outcome.variant), (outcome.recipe, outcome.variant))
    return [change_words(change) for change in made]


def _datasets(node: Node) -> list[tuple[str, str]]:
    fields = []
    for built in node.datasets:
        fields.append(("dataset", f"{built.dataset[:12]}: {_rows(built)}"))
        for passage in passages(built.lineage):
            before = "" if passage.before is None else f"{passage.before:,} -> "
            why = f" ({passage.why})" if passage.why else ""
            fields.append(("", f"{passage.name}: {before}{passage.after:,}{why}"))
        fields += _listed("  overlap", [overlap_words(item) for item in built.overlap])
    return fields


def _rows(built: Built) -> str:
    return f"{built.rows_read:,} rows read, {built.rows:,} kept, {seconds(built.seconds)}"


def _variant(node: Node, outcome: Outcome, width: int) -> list[str]:
    fields = [(f"variant {outcome.index}", scheme_words(outcome.variant))]
    fields += _listed("  recipe", own_recipe_words(node, outcome))
    if outcome.dataset is not None and len(node.datasets) > 1:
        fields.append(("  dataset", outcome.dataset.dataset[:12]))
    if outcome.score is not None:
        fields.append(("  score", score(outcome.score)))
    if outcome.trained is not None:
        made = outcome.trained
        fields.append(
            (
                "  trained",
                f"{made.steps:,} updates, {made.samples:,} rows, {seconds(made.device_seconds)}, "
                f"loss {number(made.train_loss)} -> {number(made.final_loss)}",
            )
        )
    if outcome.failure is not None:
        failure = outcome.failure
        text = f"{failure.failure} in {failure.phase}: {failure.cause}"
        fields.append(("  failed", text))
    for replica, other in outcome.confirmations:
        fields.append(("  confirmed", f"seed {replica}: {score(other)}"))
    return [line for label, text in fields for line in field(label, text, width)]


def _diagnosis(diagnosis: Diagnosis, width: int) -> list[str]:
    flips = (
        f"{diagnosis.fixed:,} fixed, {diagnosis.broken:,} broken, "
        f"{diagnosis.still_wrong:,} still wrong"
    )
    probability = diagnosis.probability_better
    better = f"; {percent(probability)} likely better than the best before" if probability else ""
    fields = [("verdict", f"{diagnosis.verdict}{better}"), ("items", flips)]
    fields += _listed("findings", [f"{item.name}: {item.text}" for item in diagnosis.findings])
    if diagnosis.text:
        fields.append(("diagnosis", diagnosis.text))
    return [line for label, text in fields for line in field(label, text, width)]
