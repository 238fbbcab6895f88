"""Candidates: configurations that a node might try, made from its best by moves of one strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ft_bench.plan import DataRecipe, Strategy, Variant
from ft_bench.tree import Node, Tree
from trex_agent.open_space import Space
from trex_agent.space import Move, apply_moves
from trex_agent.strategy import CHOICES

__all__ = ["Candidate", "Configuration", "candidates", "tried"]

_SETS = 60
_LARGEST = 5
Configuration = tuple[DataRecipe, Variant]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A configuration that might be trained, and the moves that lead to it."""

    recipe: DataRecipe
    scheme: Variant
    names: tuple[str, ...]

    @property
    def configuration(self) -> Configuration:
        """What tells candidates apart."""
        return self.recipe, self.scheme.scheme()


def candidates(
    tree: Tree, node: Node, space: Space, rng: np.random.Generator
) -> dict[Strategy, list[Candidate]]:
    """By strategy: single moves, random sets of moves, and crossings with other nodes; no repeats.

    Each differs from the node's best in what the strategy may touch alone, is allowed by the space
    and by whoever steers, and was neither planned nor trained before. A strategy without any is
    left out.
    """
    best = node.best(tree.direction)
    if best is None:
        return {}
    origin = (best.recipe, best.variant.scheme())
    moves, known = space.moves(*origin), tried(tree)
    made: dict[Strategy, list[Candidate]] = {}
    for strategy in CHOICES:
        unique = {
            item.configuration: item for item in _made(tree, node, origin, moves, strategy, rng)
        }
        left = [
            item
            for configuration, item in unique.items()
            if configuration not in known
            and space.allows(*configuration)
            and tree.forbidden(node.id, configuration) is None
        ]
        made |= {strategy: left} if left else {}
    return made


def _made(
    tree: Tree,
    node: Node,
    origin: Configuration,
    moves: Sequence[Move],
    strategy: Strategy,
    rng: np.random.Generator,
) -> list[Candidate]:
    """All candidates of one strategy, with repeats."""
    own = [move for move in moves if move.strategy == strategy]
    singles = [_moved(origin, (move,)) for move in own]
    return [*singles, *_sets(origin, own, rng), *_crossings(tree, node, origin, strategy)]


def tried(tree: Tree) -> set[Configuration]:
    """Every configuration that a node planned or holds, or that a person refused.

    A node holds another recipe than it planned where its Executor wrote the data itself.
    """
    kept = [(o.recipe, o.variant) for node in tree for o in node.outcomes]
    kept += [pair for node in tree for pair in node.plan.configurations()]
    kept += [pair for body in tree.refused for pair in body.plan.configurations()]
    return {(recipe, variant.scheme()) for recipe, variant in kept}


def _moved(origin: Configuration, chosen: tuple[Move, ...]) -> Candidate:
    recipe, scheme = apply_moves(*origin, chosen)
    return Candidate(recipe, scheme, tuple(move.name for move in chosen))


def _sets(
    origin: Configuration, open_moves: Sequence[Move], rng: np.random.Generator
) -> list[Candidate]:
    """Several moves at once: none that threatens harm, and the promising likelier."""
    hopeful = [move for move in open_moves if move.promise >= 0]
    slots = len({move.slot for move in hopeful})
    if slots < 2:
        return []
    promise = np.array([max(0.01, move.promise) for move in hopeful])
    found: dict[tuple[int, ...], tuple[Move, ...]] = {}
    for _ in range(_SETS):
        order = np.argsort(rng.exponential(size=len(hopeful)) / promise)
        by_slot: dict[str, int] = {}
        for index in order:
            by_slot.setdefault(hopeful[index].slot, int(index))
        size = int(rng.integers(2, min(_LARGEST, slots) + 1))
        places = tuple(by_slot.values())[:size]
        found.setdefault(tuple(sorted(places)), tuple(hopeful[place] for place in places))
    return [_moved(origin, chosen) for chosen in found.values()]


def _crossings(
    tree: Tree, node: Node, origin: Configuration, strategy: Strategy
) -> list[Candidate]:
    """The recipe of another good node with this scheme, or its scheme with this recipe."""
    if strategy == "construct_synthetic_data":
        return []
    found = []
    for other in tree:
        best = other.best(tree.direction)
        if other.id == node.id or best is None:
            continue
        if strategy == "refine_data_pipeline":
            crossed: Configuration = (best.recipe, origin[1])
        else:
            crossed = (origin[0], best.variant.scheme())
        found.append(Candidate(*crossed, names=(f"as node {other.id}", "crossing")))
    return found
