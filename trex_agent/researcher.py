"""Researcher, offline: proposes plans by rules and a surrogate; needs no language model.

For each strategy some dozens of configurations are made by moves that belong to it (and by
crossing with other good nodes). A Gaussian process over all that was scored tells what each may
improve; the strategy whose best three promise most is followed. Without it, a strategy is drawn by
Thompson sampling and the survey's promises rank its candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ft_bench.digest import derive_seed
from ft_bench.plan import ExperimentPlan, Provenance, Strategy
from ft_bench.protocols import Brief
from ft_bench.tree import Node, Tree
from trex_agent.candidates import Candidate, candidates
from trex_agent.hints import EXPECTED, hints
from trex_agent.open_space import OpenSpace, Space
from trex_agent.priors import carried
from trex_agent.process import Process
from trex_agent.search.closing import closed_strategies
from trex_agent.search.reward import noise, span
from trex_agent.space import features
from trex_agent.strategy import choose, odds
from trex_agent.survey import Survey

__all__ = ["Researcher", "observations"]

_SMALL = 3
_MOST_NOTES = 300
_LEAST_NOISE = 0.01
Options = Mapping[Strategy, Sequence[Candidate]]


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
        shut = closed_strategies(tree, parent)
        made = candidates(tree, node, self.space, rng)
        options = {name: found for name, found in made.items() if name not in shut}
        if not options:
            return None
        if self.use_surrogate:
            strategy, chosen, reasons = self._by_process(tree, node, options)
        else:
            strategy, chosen, reasons = self._by_rules(tree, node, options, rng)
        return self._plan(strategy, chosen, node, (*reasons, *_noted(tree)))

    def _by_process(
        self, tree: Tree, node: Node, options: Options
    ) -> tuple[Strategy, list[Candidate], list[str]]:
        """The strategy whose candidates improve most on what is best so far, and those.

        In a large node the first variant is a single move; a node of three is too small to spend
        one on what is easy to attribute.
        """
        pooled = [item for found in options.values() for item in found]
        places = _places(options)
        sign = 1.0 if tree.direction == "max" else -1.0
        process = Process(
            [(row, sign * value) for row, value in observations(tree)],
            [features(item.recipe, item.scheme) for item in pooled],
            self._prior(tree, node),
            max(noise(tree), _LEAST_NOISE),
        )
        large = self.variants > _SMALL
        singles = [at for at, item in enumerate(pooled) if large and len(item.names) == 1]
        picked = {
            name: process.pick(among, self.variants, [at for at in among if at in singles])
            for name, among in places.items()
        }
        strategy = max(picked, key=lambda name: picked[name][1])
        deviation = process.deviation()
        reasons = [
            ", ".join(
                f"{name.replace('_', ' ')} promises {worth:.4f} a variant"
                for name, (_, worth) in picked.items()
            ),
            *(
                f"{' + '.join(pooled[at].names)}: expected {sign * process.mean[at]:.3f} "
                f"+- {deviation[at]:.3f}"
                for at in picked[strategy][0]
            ),
        ]
        return strategy, [pooled[at] for at in picked[strategy][0]], reasons

    def _by_rules(
        self, tree: Tree, node: Node, options: Options, rng: np.random.Generator
    ) -> tuple[Strategy, list[Candidate], list[str]]:
        """A strategy by Thompson sampling, and its candidates that the prior likes best."""
        turned = odds(self.survey, node, tree.direction)
        strategy = choose(tree, turned, list(options), rng)
        prior = self._prior(tree, node)
        found = options[strategy]
        rows = [features(item.recipe, item.scheme) for item in found]
        scores = [sum(prior.get(name, 0.0) * row[name] for name in row) for row in rows]
        order = sorted(range(len(found)), key=lambda at: (-scores[at], at))
        large = self.variants > _SMALL
        singles = [at for at in order if large and len(found[at].names) == 1][:1]
        chosen = [*singles, *(at for at in order if at not in singles)][: self.variants]
        reasons = [
            f"strategy {strategy.replace('_', ' ')} was drawn; odds turned "
            + ", ".join(f"{name.replace('_', ' ')} x{turn:.2f}" for name, turn in turned.items()),
            *(
                f"{' + '.join(found[at].names)}: rank {order.index(at) + 1} of {len(order)}"
                for at in chosen
            ),
        ]
        return strategy, [found[at] for at in chosen], reasons

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


def _places(options: Options) -> dict[Strategy, range]:
    """Where each strategy's candidates stand when all are put in a row."""
    found, start = {}, 0
    for name, made in options.items():
        found[name] = range(start, start + len(made))
        start += len(made)
    return found


def _noted(tree: Tree) -> list[str]:
    """What a person has noted, as evidence: rules cannot read it, whoever looks at the plan can."""
    notes = " ".join(tree.steering.notes.split())
    return [f"a person notes: {notes[:_MOST_NOTES]}"] if notes else []
