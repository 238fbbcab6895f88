from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from ft_bench.plan import DataRecipe, ExperimentPlan, Operation, Strategy, Variant
from ft_bench.record import Concluded, Diagnosis, Finding, Planned
from ft_bench.testing.records import bodies_of, evaluated, plan, trained
from ft_bench.tree import Tree
from trex_agent.strategy import CHOICES, choose, odds, tally
from trex_agent.survey import Issue, Survey

DEDUP = Operation(op="deduplicate_by_text_hash", params={"column": "prompt"})
FAULTY = Survey(100, (Issue("duplicates", 0.5, (DEDUP,), ""),), False, None)
CLEAN = Survey(100, (), False, None)
EVEN = dict.fromkeys(CHOICES, 1.0)


def _tree(*verdicts: tuple[Strategy, str]) -> Tree:
    bodies = list(bodies_of([(None, [0.5])]))
    for number, (strategy, verdict) in enumerate(verdicts, start=1):
        made = plan(1e-3 + number * 1e-4, strategy=strategy)
        bodies += [
            Planned(node=number, parent=0, plan=made),
            Concluded(
                node=number,
                status="succeeded",
                diagnosis=Diagnosis.model_validate({"verdict": verdict}),
            ),
        ]
    return Tree.of(bodies)


def _parent(findings: tuple[str, ...] = (), *steps: Operation) -> Tree:
    made = ExperimentPlan(
        strategy="establish_baseline",
        objective="x",
        recipe=DataRecipe(steps=steps),
        variants=(Variant(),),
    )
    noted = tuple(Finding(name=name, share=1.0, text="") for name in findings)
    return Tree.of(
        [
            Planned(node=0, parent=None, plan=made),
            trained(0),
            evaluated(0, 0, 0.5),
            Concluded(node=0, status="succeeded", diagnosis=Diagnosis(findings=noted)),
        ]
    )


def test_the_tally_counts_new_bests() -> None:
    refine, adjust = CHOICES[0], CHOICES[2]
    found = tally(_tree((refine, "new best"), (refine, "tie"), (adjust, "failed")))
    assert found == {refine: (1, 2), CHOICES[1]: (0, 0), adjust: (0, 1)}


def test_a_running_node_is_not_counted() -> None:
    bodies = [*bodies_of([(None, [0.5])]), Planned(node=1, parent=0, plan=plan(3e-4))]
    assert tally(Tree.of(bodies)) == dict.fromkeys(CHOICES, (0, 0))


def test_faulty_rows_favour_the_data_until_they_are_mended() -> None:
    raw = odds(FAULTY, _parent().node(0))
    mended = odds(FAULTY, _parent((), DEDUP).node(0))
    assert raw["refine_data_pipeline"] > 2.0
    assert mended == odds(CLEAN, _parent().node(0)) == EVEN


@pytest.mark.parametrize(
    ("finding", "strategy"),
    [
        ("loss is flat", "adjust_training_scheme"),
        ("training diverged", "adjust_training_scheme"),
        ("texts truncated", "adjust_training_scheme"),
        ("skewed predictions", "construct_synthetic_data"),
    ],
)
def test_a_finding_turns_the_odds(finding: str, strategy: Strategy) -> None:
    found = odds(CLEAN, _parent((finding,)).node(0))
    assert found[strategy] > 1
    assert max(found, key=lambda name: found[name]) == strategy


def test_the_best_variant_of_a_loss_is_the_lowest() -> None:
    """Whether the duplicates are mended is read off the variant that the node stands for."""
    mended = DataRecipe(steps=(DEDUP,))
    made = ExperimentPlan(
        strategy="establish_baseline",
        objective="x",
        variants=(Variant(), Variant(recipe=mended)),
    )
    scores = [(0, 0.9), (1, 0.2)]
    bodies = [Planned(node=0, parent=None, plan=made)]
    bodies += [body for v, value in scores for body in (trained(0, v), evaluated(0, v, value))]
    node = Tree.of(bodies, "min").node(0)
    assert odds(FAULTY, node, "min")["refine_data_pipeline"] == 1.0
    assert odds(FAULTY, node, "max")["refine_data_pipeline"] > 2.0


def _drawn(
    tree: Tree, turned: dict[Strategy, float], possible: tuple[Strategy, ...]
) -> Counter[str]:
    rng = np.random.default_rng(0)
    return Counter(choose(tree, turned, possible, rng) for _ in range(1500))


def test_every_possible_strategy_keeps_its_chance() -> None:
    turned = EVEN | {"refine_data_pipeline": 1000.0}
    counts = _drawn(_tree(), turned, CHOICES)
    assert counts["refine_data_pipeline"] > 900
    for strategy in CHOICES[1:]:
        assert counts[strategy] > 110


def test_what_worked_is_drawn_more_often() -> None:
    adjust: Strategy = "adjust_training_scheme"
    lucky = _tree(*[(adjust, "new best")] * 6, *[("refine_data_pipeline", "tie")] * 6)
    assert _drawn(lucky, EVEN, CHOICES)[adjust] > _drawn(_tree(), EVEN, CHOICES)[adjust] + 300


def test_what_is_impossible_is_never_drawn() -> None:
    assert set(_drawn(_tree(), EVEN, CHOICES[1:])) == set(CHOICES[1:])
