"""Researcher, offline: proposes plans by rules and a surrogate; needs no language model.

A strategy is drawn by Thompson sampling, two dozen configurations are made by moves that belong
to it (and by crossing with other good nodes), and one Thompson draw of the surrogate keeps those
that look best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ft_bench.digest import derive_seed, digest
from ft_bench.plan import DataRecipe, ExperimentPlan, Provenance, Strategy, Variant
from ft_bench.protocols import Brief
from ft_bench.tree import Node, Tree
from trex_agent.hints import EXPECTED, hints
from trex_agent.open_space import OpenSpace, Space
from trex_agent.priors import carried
from trex_agent.search.closing import closed_strategies
from trex_agent.search.reward import noise, span
from trex_agent.space import Move, apply_moves, features
from trex_agent.strategy import CHOICES, FLOOR, choose, odds
from trex_agent.surrogate import Surrogate
from trex_agent.survey import Survey

__all__ = ["Candidate", "Researcher", "observations", "tried"]

_CANDIDATES = 24
_SMALL = 3
_MOST_NOTES = 300
Configuration = tuple[DataRecipe, Variant]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A configuration that might be trained, and the moves that lead to it."""

    recipe: DataRecipe
    scheme: Variant
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        """What tells configurations apart."""
        return digest([self.recipe, self.scheme.scheme()])


def observations(tree: Tree) -> list[tuple[dict[str, float], float]]:
    """Features and validation metric of every configuration that was scored, each seed once."""
    return [
        (features(outcome.recipe, outcome.variant), score.value)
        for node in tree
        for outcome in node.outcomes
        if outcome.score is not None
        for score in (outcome.score, *(other for _, other in outcome.confirmations))
    ]


class Researcher:
    """Proposes the plan of each node.

    Args:
        brief: the task.
        survey: what is wrong with the pool.
        variants: how many configurations a node tries.
        space: what may be tried; by default all that survey and brief open.
        use_surrogate: without it, candidates are ranked by what the survey promises.
    """

    def __init__(
        self,
        brief: Brief,
        survey: Survey,
        variants: int,
        *,
        space: Space | None = None,
        use_surrogate: bool = True,
    ) -> None:
        self.brief, self.survey = brief, survey
        self.space = space or OpenSpace(survey, brief)
        self.variants, self.use_surrogate = variants, use_surrogate

    def baseline(self, variants: int) -> ExperimentPlan:
        """The root: a small grid of learning rates on the raw pool."""
        return ExperimentPlan(
            strategy="establish_baseline",
            objective="Set the baseline: a small grid of learning rates on the raw pool",
            hypothesis="one of these rates fits a model of this size",
            evidence=tuple(issue.text for issue in self.survey.issues[:5]),
            recipe=self.space.start(),
            variants=tuple(self.space.roots(variants)),
            provenance=Provenance(kind="rules"),
        )

    def propose(self, tree: Tree, parent: int) -> ExperimentPlan | None:
        """A plan that refines `parent`, None where no untried configuration is left."""
        rng = np.random.default_rng(derive_seed(self.brief.seed, "propose", len(tree)))
        node = tree.node(parent)
        best = node.best(tree.direction)
        if best is None:
            return None
        origin = (best.recipe, best.variant.scheme())
        known = tried(tree)
        shut = closed_strategies(tree, parent)
        options: dict[Strategy, list[Candidate]] = {}
        for strategy in CHOICES:
            found = self._candidates(tree, node, origin, strategy, rng)
            options[strategy] = [
                item
                for item in found
                if item.key not in known
                and self.space.allows(item.recipe, item.scheme)
                and tree.forbidden(parent, (item.recipe, item.scheme)) is None
            ]
        possible = [s for s in CHOICES if options[s] and s not in shut]
        if not possible:
            return None
        turned = odds(self.survey, node, tree.direction)
        pooled = [item for name in possible for item in options[name]]
        every = dict(zip(map(id, pooled), self._scores(tree, node, pooled, rng), strict=True))
        likes = {name: max(every[id(item)] for item in options[name]) for name in possible}
        strategy = self._strategy(tree, turned, likes, rng)
        scores = [every[id(item)] for item in options[strategy]]
        chosen = self._best(options[strategy], scores)
        reasons = _reasons(strategy, turned, options[strategy], scores, chosen)
        return self._plan(strategy, chosen, node, (*reasons, *_noted(tree)))

    def _strategy(
        self,
        tree: Tree,
        turned: Mapping[Strategy, float],
        likes: Mapping[Strategy, float],
        rng: np.random.Generator,
    ) -> Strategy:
        """That of the candidate which the surrogate likes best, but for a tenth each by chance.

        Without a surrogate, by Thompson sampling.
        """
        possible = list(likes)
        if not self.use_surrogate:
            return choose(tree, turned, possible, rng)
        if rng.random() < FLOOR * len(possible):
            return possible[int(rng.integers(len(possible)))]
        return max(possible, key=lambda name: likes[name])

    def _candidates(
        self,
        tree: Tree,
        node: Node,
        origin: Configuration,
        strategy: Strategy,
        rng: np.random.Generator,
    ) -> list[Candidate]:
        """Single moves, random sets of moves, and crossings; at most two dozen, no repeats."""
        open_moves = [m for m in self.space.moves(*origin) if m.strategy == strategy]
        found = [_candidate(origin, (move,)) for move in open_moves]
        found += self._sets(origin, open_moves, rng)
        found += _crossings(tree, node, origin, strategy)
        unique = {item.key: item for item in found}
        unique.pop(digest([origin[0], origin[1]]), None)
        return list(unique.values())[: max(_CANDIDATES, len(open_moves) + _CANDIDATES // 2)]

    def _sets(
        self, origin: Configuration, open_moves: Sequence[Move], rng: np.random.Generator
    ) -> list[Candidate]:
        """Several moves at once: none that threatens harm, and the promising likelier."""
        hopeful = [move for move in open_moves if move.promise >= 0]
        if len({move.slot for move in hopeful}) < 2:
            return []
        promise = np.array([max(0.01, move.promise) for move in hopeful])
        found = []
        for _ in range(_CANDIDATES):
            order = np.argsort(rng.exponential(size=len(hopeful)) / promise)
            by_slot: dict[str, Move] = {}
            for index in order:
                by_slot.setdefault(hopeful[int(index)].slot, hopeful[int(index)])
            size = int(rng.integers(2, min(5, len(by_slot)) + 1))
            found.append(_candidate(origin, tuple(list(by_slot.values())[:size])))
        return found

    def _best(self, candidates: Sequence[Candidate], scores: Sequence[float]) -> list[Candidate]:
        """The candidates to train, all different; in a large node the first is a single move.

        A node of three is too small to spend one on what is easy to attribute.
        """
        order = sorted(range(len(candidates)), key=lambda i: (-scores[i], i))
        large = self.variants > _SMALL
        singles = [i for i in order if large and len(candidates[i].names) == 1]
        chosen = [*singles[:1], *(i for i in order if i not in singles[:1])]
        return [candidates[i] for i in chosen[: self.variants]]

    def _scores(
        self, tree: Tree, node: Node, candidates: Sequence[Candidate], rng: np.random.Generator
    ) -> list[float]:
        """What is expected of each candidate: one draw of the surrogate, or the prior alone."""
        prior = self._prior(tree, node)
        rows = [features(item.recipe, item.scheme) for item in candidates]
        if not self.use_surrogate:
            return [sum(prior.get(name, 0.0) * row[name] for name in row) for row in rows]
        sign = 1.0 if tree.direction == "max" else -1.0
        signed = {name: sign * value for name, value in prior.items()}
        model = Surrogate(observations(tree), rows, signed, max(noise(tree), 0.01))
        return [float(sign * value) for value in model.score(rows, model.draw(rng))]

    def _prior(self, tree: Tree, node: Node) -> dict[str, float]:
        """What is expected of each feature before this run has seen it.

        Survey, diagnosis, and the rules of earlier runs on other tasks. What this run itself has
        learnt is in the surrogate's observations, and is no prior on top of them.
        """
        prior = {**EXPECTED, **self.space.promises(), **hints(node)}
        for name, worth in carried(self.brief.insights).items():
            prior[name] = prior.get(name, 0.0) + worth
        width = span(tree)
        return {name: worth * width for name, worth in prior.items()}

    def _plan(
        self,
        strategy: Strategy,
        chosen: Sequence[Candidate],
        parent: Node,
        reasons: Sequence[str],
    ) -> ExperimentPlan:
        first = chosen[0]
        variants = tuple(
            item.scheme.model_copy(
                update={"recipe": None if item.recipe == first.recipe else item.recipe}
            )
            for item in chosen
        )
        names = " | ".join(" + ".join(item.names) for item in chosen)
        return ExperimentPlan(
            strategy=strategy,
            objective=f"From node {parent.id}: {names}",
            hypothesis=f"{' + '.join(first.names)} improves on node {parent.id}",
            evidence=(*reasons, *(issue.text for issue in self.survey.issues[:3])),
            recipe=first.recipe,
            variants=variants,
            provenance=Provenance(kind="surrogate" if self.use_surrogate else "rules"),
        )


def tried(tree: Tree) -> set[str]:
    """Every configuration that a node planned or holds, or that a person refused.

    A node holds another recipe than it planned where its Executor wrote the data itself.
    """
    kept = [(o.recipe, o.variant) for node in tree for o in node.outcomes]
    kept += [pair for node in tree for pair in node.plan.configurations()]
    kept += [pair for body in tree.refused for pair in body.plan.configurations()]
    return {digest([recipe, variant.scheme()]) for recipe, variant in kept}


def _reasons(
    strategy: Strategy,
    turned: Mapping[Strategy, float],
    candidates: Sequence[Candidate],
    scores: Sequence[float],
    chosen: Sequence[Candidate],
) -> list[str]:
    """Why this strategy and these candidates, in words that the plan keeps as evidence."""
    value = {item.key: score for item, score in zip(candidates, scores, strict=True)}
    ranks = sorted(scores, reverse=True)
    words = [
        f"{' + '.join(item.names)}: expected {value[item.key]:.3f}, "
        f"rank {ranks.index(value[item.key]) + 1} of {len(scores)}"
        for item in chosen
    ]
    odds_words = ", ".join(f"{name.replace('_', ' ')} x{turn:.2f}" for name, turn in turned.items())
    return [f"strategy {strategy.replace('_', ' ')} was drawn; odds turned {odds_words}", *words]


def _noted(tree: Tree) -> list[str]:
    """What a person has noted, as evidence: rules cannot read it, whoever looks at the plan can."""
    notes = " ".join(tree.steering.notes.split())
    return [f"a person notes: {notes[:_MOST_NOTES]}"] if notes else []


def _candidate(origin: Configuration, chosen: tuple[Move, ...]) -> Candidate:
    recipe, scheme = apply_moves(*origin, chosen)
    return Candidate(recipe, scheme, tuple(move.name for move in chosen))


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
