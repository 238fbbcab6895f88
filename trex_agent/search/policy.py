"""Policy: which node to refine next. One pure interface: `select(tree, rng) -> node id`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log, sqrt

import numpy as np

from ft_bench.errors import UnknownName
from ft_bench.tree import Node, Tree
from trex_agent.search.closing import exhausted
from trex_agent.search.reward import rewards

__all__ = ["POLICIES", "Select", "Uct", "policy"]

Select = Callable[[Tree, np.random.Generator], int | None]
_CAP = 4


def _open(tree: Tree, cap: int | None) -> list[Node]:
    """Nodes that may get a child: succeeded, not closed, and with fewer than `cap` children.

    A node is closed by a person, or where three equal failures closed every strategy. While any
    that a person has pinned may get a child, the others wait; a pinned node has no cap.
    """
    nodes = [
        node
        for node in tree
        if node.status == "succeeded"
        and node.id not in tree.steering.closed
        and not exhausted(tree, node.id)
    ]
    pinned = [node for node in nodes if node.id in tree.steering.pinned]
    return pinned or [node for node in nodes if cap is None or len(tree.children(node.id)) < cap]


@dataclass(frozen=True, slots=True)
class Uct:
    """Flat UCT over all open nodes, TREX section 3.2.

    U(v) = Q(v) + c sqrt(ln(1 + n(parent)) / n(v)); Q(v) = (1 - beta) r(v) + beta times the mean
    reward of v's subtree; n is the size of the subtree, nodes still running included.

    The `paper` preset is beta 1, c sqrt 2, no cap; the default is beta 0.25, c 0.5, cap 4.
    """

    beta: float = 0.25
    c: float = 0.5
    cap: int | None = _CAP

    def values(self, tree: Tree) -> dict[int, float]:
        """U of every open node."""
        reward = rewards(tree)
        return {node.id: self._value(tree, node, reward) for node in _open(tree, self.cap)}

    def _value(self, tree: Tree, node: Node, reward: dict[int, float]) -> float:
        below = tree.subtree(node.id)
        known = [reward[item.id] for item in below if item.id in reward]
        mean = sum(known) / len(known) if known else 0.0
        q = (1 - self.beta) * reward.get(node.id, 0.0) + self.beta * mean
        above = len(tree) if node.parent is None else len(tree.subtree(node.parent))
        return q + self.c * sqrt(log(1 + above) / len(below))

    def __call__(self, tree: Tree, rng: np.random.Generator) -> int | None:
        """The open node with the highest U; ties go to the older. None where none is open."""
        values = self.values(tree)
        return max(values, key=lambda node: (values[node], -node), default=None)


def _greedy(cap: int | None) -> Select:
    def select(tree: Tree, rng: np.random.Generator) -> int | None:
        reward = rewards(tree)
        nodes = _open(tree, cap)
        return max(nodes, key=lambda n: (reward.get(n.id, 0.0), -n.id)).id if nodes else None

    return select


def _sequential(tree: Tree, rng: np.random.Generator) -> int | None:
    """The node of the previous round, else the last that succeeded."""
    nodes = _open(tree, None)
    return nodes[-1].id if nodes else None


def _random(tree: Tree, rng: np.random.Generator) -> int | None:
    nodes = _open(tree, None)
    return nodes[int(rng.integers(len(nodes)))].id if nodes else None


POLICIES: dict[str, Select] = {
    "mcts": Uct(),
    "paper": Uct(beta=1.0, c=sqrt(2.0), cap=None),
    "gbfs": _greedy(None),
    "gbfs-cap": _greedy(_CAP),
    "ses": _sequential,
    "random": _random,
}


def policy(name: str) -> Select:
    """The policy called `name`.

    Raises:
        UnknownName: with the nearest.
    """
    if name not in POLICIES:
        raise UnknownName("search policy", name, POLICIES, "-A search=...")
    return POLICIES[name]
