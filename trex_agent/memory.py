"""Memory: what a proposal may know of the tree, within a limit of tokens; TREX section 3.2.

M(v) is the path from the root to v, v's siblings, the key nodes of the whole tree (large gains,
large losses, new kinds of failure), and insights and notes. A pure function of the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ft_bench.plan import changes
from ft_bench.tree import Node, Outcome, Tree
from trex_agent.search.reward import noise

__all__ = ["Counter", "key_nodes", "memory", "tokens_of"]

Counter = Callable[[str], int]
"""Tokens of a text."""

_CHARACTERS = 3.5
_SHARES = (("path", 0.45), ("siblings", 0.25), ("key nodes", 0.20), ("notes", 0.10))
_MOST_KEY = 6
_HEADINGS = {
    "path": "## From the root to the parent",
    "siblings": "## Other refinements of the same parent, newest first",
    "key nodes": "## Key nodes of the whole tree",
    "notes": "## Insights and notes",
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """A text in full and in short."""

    full: str
    short: str


def tokens_of(text: str) -> int:
    """Tokens of a text by its length: 3.5 characters each; no tokenizer has to be fetched."""
    return -int(-len(text) // _CHARACTERS)


def memory(
    tree: Tree,
    node: int,
    *,
    limit: int = 8000,
    count: Counter = tokens_of,
    insights: Iterable[Mapping[str, Any]] = (),
    notes: str = "",
) -> str:
    """What is remembered at `node`, in Markdown, of at most `limit` tokens.

    Path, siblings, key nodes and notes have 45, 25, 20 and 10 hundredths of the limit; what one
    leaves over, the next may use. Over its share, a section first shortens and then drops its least
    important entries, and says how many.
    """
    path = tree.path(node)
    shown = {item.id for item in path}
    siblings = [item for item in _siblings(tree, node) if item.id not in shown]
    shown |= {item.id for item in siblings}
    sections = {
        "path": _path(tree, path),
        "siblings": [_short(tree, item) for item in siblings],
        "key nodes": [_full(tree, item) for item in key_nodes(tree) if item.id not in shown],
        "notes": _notes(insights, notes),
    }
    texts, left = [], 0.0
    for name, share in _SHARES:
        left += share * limit
        text = _fitted(_HEADINGS[name], sections[name], int(left), count)
        if text:
            texts.append(text)
            left -= count(text) + 1
    return "\n\n".join(texts)


def _siblings(tree: Tree, node: int) -> list[Node]:
    """The children that the node already has, and the node's own siblings, newest first."""
    return [*reversed(tree.children(node)), *reversed(tree.siblings(node))]


def _path(tree: Tree, path: Sequence[Node]) -> list[_Entry]:
    """The node, its parent and the root in full, the rest short; the node itself first."""
    order = list(reversed(path))
    whole = {order[0].id, path[0].id, *(node.id for node in order[1:2])}
    ends = [node for node in order if node.id in whole]
    rest = [node for node in order if node.id not in whole]
    return [_full(tree, node) for node in ends] + [_short(tree, node) for node in rest]


def _fitted(heading: str, entries: Sequence[_Entry], limit: int, count: Counter) -> str:
    """Entries under a heading, the most important first, within a limit; "" where none fits."""
    if not entries:
        return ""
    for short in range(len(entries) + 1):
        kept = len(entries) - short
        texts = [e.full for e in entries[:kept]] + [e.short for e in entries[kept:]]
        whole = "\n".join([heading, *texts])
        if count(whole) <= limit:
            return whole
    for kept in range(len(entries) - 1, -1, -1):
        more = f"(+{len(entries) - kept} more)"
        whole = "\n".join([heading, *(entry.short for entry in entries[:kept]), more])
        if count(whole) <= limit:
            return whole
    return ""


def key_nodes(tree: Tree, most: int = _MOST_KEY) -> list[Node]:
    """The nodes that taught most, gains and losses by turns.

    s(u) = min(|delta| / sigma, 5) + 1 if u was the best when found + 0.5 if its failure was the
    first of its kind - 0.7 times the largest Jaccard overlap of its changes with those chosen.
    """
    sigma = max(noise(tree), 1e-6)
    first = _worth(tree, sigma)
    pools = [
        [node for node in tree if node.id in first and _gained(tree, node) == gained]
        for gained in (True, False)
    ]
    chosen: list[Node] = []
    while any(pools) and len(chosen) < most:
        pool = pools[len(chosen) % 2] or pools[(len(chosen) + 1) % 2]
        best = max(pool, key=lambda n: (first[n.id] - 0.7 * _overlap(tree, n, chosen), -n.id))
        pool.remove(best)
        chosen.append(best)
    return chosen


def _worth(tree: Tree, sigma: float) -> dict[int, float]:
    """What each closed node but the root is worth before overlap is taken off."""
    sign = 1.0 if tree.direction == "max" else -1.0
    best, seen, found = float("-inf"), set[str](), {}
    for node in tree:
        value, delta = tree.value(node.id), _delta(tree, node)
        signature = _signature(node)
        worth = min(abs(delta) / sigma, 5.0) if delta is not None else 0.0
        if value is not None and sign * value > best:
            best, worth = sign * value, worth + 1.0
        if signature and signature not in seen:
            seen.add(signature)
            worth += 0.5
        if node.parent is not None and node.status != "running" and worth > 0:
            found[node.id] = worth
    return found


def _delta(tree: Tree, node: Node) -> float | None:
    """The metric's difference to the parent, None where either was not scored."""
    value = tree.value(node.id)
    before = tree.value(node.parent) if node.parent is not None else None
    return None if value is None or before is None else value - before


def _gained(tree: Tree, node: Node) -> bool:
    delta = _delta(tree, node)
    return delta is not None and (delta > 0 if tree.direction == "max" else delta < 0)


def _signature(node: Node) -> str:
    kinds = sorted({failure.failure for failure in node.failures()})
    return " ".join(kinds)


def _overlap(tree: Tree, node: Node, chosen: Iterable[Node]) -> float:
    mine = set(_changed(tree, node, node.outcomes[0]))
    others = [set(_changed(tree, other, other.outcomes[0])) for other in chosen]
    return max((len(mine & o) / len(mine | o) for o in others if mine | o), default=0.0)


def _changed(tree: Tree, node: Node, outcome: Outcome) -> list[str]:
    """What an outcome changed against its parent's best, in words."""
    if node.parent is None:
        return []
    before = tree.node(node.parent).best(tree.direction)
    if before is None:
        return []
    made = changes((before.recipe, before.variant), (outcome.recipe, outcome.variant))
    return [f"{change.field}: {_brief(change.before)} -> {_brief(change.after)}" for change in made]


def _brief(value: Any) -> str:
    if value is None:
        return "none"
    text = str(value)
    return text if len(text) <= 160 else text[:157] + "..."


def _short(tree: Tree, node: Node) -> _Entry:
    value, delta = tree.value(node.id), _delta(tree, node)
    scored: str = "pending" if node.status == "running" else node.status
    if value is not None:
        scored = f"{value:.4f}" + (f" ({delta:+.4f})" if delta is not None else "")
    verdict = f", {node.diagnosis.verdict}" if node.diagnosis else ""
    text = f"- node {node.id} [{node.plan.strategy}] {scored}{verdict}: {node.plan.objective[:200]}"
    return _Entry(text, text)


def _full(tree: Tree, node: Node) -> _Entry:
    short = _short(tree, node).short
    lines = [short]
    if node.plan.hypothesis:
        lines.append(f"  hypothesis: {node.plan.hypothesis[:300]}")
    lines += [f"  variant {item.index}: {_outcome(tree, node, item)}" for item in node.outcomes]
    if node.diagnosis:
        lines.append(f"  {node.diagnosis.text[:400]}")
        lines += [f"  finding: {finding.text[:200]}" for finding in node.diagnosis.findings[:5]]
        lines += [
            f"  bad cases: {group.items} like {group.label[:80]!r}"
            + "".join(f"; {cause.text[:120]}" for cause in group.causes[:2])
            for group in node.diagnosis.groups[:3]
        ]
    return _Entry("\n".join(lines), short)


def _outcome(tree: Tree, node: Node, item: Outcome) -> str:
    made = "; ".join(_changed(tree, node, item)) or _scheme(item)
    if item.score is not None:
        return f"{item.score.value:.4f} with {made}"
    if item.failure is not None:
        return f"failed {item.failure.failure} ({item.failure.cause[:120]}) with {made}"
    return f"pending with {made}"


def _scheme(item: Outcome) -> str:
    scheme = item.variant
    return f"lr {scheme.lr:g}, samples {scheme.samples}, batch_size {scheme.batch_size}"


def _rule(item: Mapping[str, Any]) -> str:
    """A rule in words: an effect with its interval, else what its own text says."""
    if not {"feature", "effect", "low", "high", "n"} <= item.keys():
        return str(item.get("text", ""))[:500]
    sure = "" if item.get("supported") else ", not sure"
    ends = f"[{item['low']:+.4g}, {item['high']:+.4g}]"
    return f"{item['feature']}: effect {item['effect']:+.4g} {ends}, n={item['n']}{sure}"


def _elsewhere(item: Mapping[str, Any]) -> str:
    """Where a rule comes from, for one of another task."""
    return f"on the task {item['task']}: " if item.get("task") else ""


def _notes(insights: Iterable[Mapping[str, Any]], notes: str) -> list[_Entry]:
    found = [_Entry(f"- a person notes: {notes.strip()}", f"- a person notes: {notes[:500]}")]
    found = found if notes.strip() else []
    for item in insights:
        text = f"- {_elsewhere(item)}{_rule(item)}"
        found.append(_Entry(text, text))
    return found
