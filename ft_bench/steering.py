"""Steering: what a person told a run, folded over what the run has taken in of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ft_bench.plan import DataRecipe, Variant, changes
from ft_bench.record import Order, Steered

__all__ = ["Steering", "forbidden"]

Configuration = tuple[DataRecipe, Variant]


@dataclass(frozen=True)
class Steering:
    """The standing wishes of a person.

    `closed` nodes get no further child. While a `pinned` node can have one, no other is refined.
    `banned` holds names of operators or fields, `banned_nodes` nodes whose recipes must not come
    again. `notes` is the text of `notes.md`; `lines` is how much of the control file was read.
    """

    pinned: frozenset[int] = frozenset()
    closed: frozenset[int] = frozenset()
    banned: frozenset[str] = frozenset()
    banned_nodes: frozenset[int] = frozenset()
    notes: str = ""
    lines: int = 0

    def after(self, body: Steered) -> Steering:
        """These wishes once more were taken in."""
        found = self
        for order in body.orders:
            found = found._obeying(order)
        notes = found.notes if body.notes is None else body.notes
        return replace(found, notes=notes, lines=body.lines)

    def _obeying(self, order: Order) -> Steering:
        node = frozenset() if order.node is None else frozenset({order.node})
        name = frozenset({order.name}) if order.name else frozenset()
        match order.verb:
            case "pin":
                return replace(self, pinned=self.pinned | node, closed=self.closed - node)
            case "unpin":
                return replace(self, pinned=self.pinned - node)
            case "close":
                return replace(self, closed=self.closed | node, pinned=self.pinned - node)
            case "reopen":
                return replace(self, closed=self.closed - node)
            case "ban":
                nodes, names = self.banned_nodes | node, self.banned | name
                return replace(self, banned=names, banned_nodes=nodes)
            case "unban":
                nodes, names = self.banned_nodes - node, self.banned - name
                return replace(self, banned=names, banned_nodes=nodes)

    def closing(self, node: int) -> Steering:
        """These wishes with one more node closed."""
        return self._obeying(Order(verb="close", node=node))

    def words(self) -> list[str]:
        """The wishes in words, one a line; none where there are none."""
        recipes = [f"recipes of node {node}" for node in sorted(self.banned_nodes)]
        lists = {
            "pinned": [str(node) for node in sorted(self.pinned)],
            "closed": [str(node) for node in sorted(self.closed)],
            "banned": [*sorted(self.banned), *recipes],
        }
        found = [f"{name}: {', '.join(some)}" for name, some in lists.items() if some]
        return [*found, *([f"notes: {self.notes}"] if self.notes else [])]


def forbidden(
    steering: Steering,
    recipes: Mapping[int, Iterable[DataRecipe]],
    origin: Configuration | None,
    wanted: Configuration,
) -> str | None:
    """What a person has banned that a configuration would do, None where it may be trained.

    The name of an operator bans it from every recipe. The name of a field ("variant.lr",
    "recipe.max_samples") bans a change of it against the parent's best. A node bans the data
    recipes of its variants.

    Args:
        steering: the standing wishes.
        recipes: of the banned nodes at least.
        origin: recipe and scheme of the parent's best, None at the root.
        wanted: the configuration.
    """
    recipe, _ = wanted
    operators = {step.op for step in recipe.steps} & steering.banned
    if operators:
        return f"operator {min(operators)!r}"
    fields: set[str] = set()
    if origin is not None and steering.banned:
        fields = {change.field for change in changes(origin, wanted)}
    if fields & steering.banned:
        return f"field {min(fields & steering.banned)!r}"
    for node in sorted(steering.banned_nodes):
        if any(other == recipe for other in recipes.get(node, ())):
            return f"the recipe of node {node}"
    return None
