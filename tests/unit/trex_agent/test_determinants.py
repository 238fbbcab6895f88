from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ft_bench.plan import Change, DataRecipe, ExperimentPlan, Operation, Strategy, Variant
from ft_bench.record import Planned
from ft_bench.testing.records import concluded, evaluated, trained
from ft_bench.tree import Tree
from trex_agent.determinants import determinants, pairs, turn

CLEAN = DataRecipe(steps=(Operation(op="drop_conflicts", params={"keep": "none"}),))


def grown(children: Sequence[tuple[Variant, DataRecipe, float]], root: float = 0.5) -> Tree:
    """A root at lr 1e-4 on raw data, with one child each."""
    made: list[tuple[Variant, DataRecipe, float]] = [(Variant(), DataRecipe(), root), *children]
    bodies: list[Any] = [evaluated(None, None, 0.3)]
    for number, (variant, recipe, value) in enumerate(made):
        kind: Strategy = "establish_baseline" if number == 0 else "refine_data_pipeline"
        plan = ExperimentPlan(
            strategy=kind, objective=str(number), recipe=recipe, variants=(variant,)
        )
        bodies += [
            Planned(node=number, parent=None if number == 0 else 0, plan=plan),
            trained(number),
            evaluated(number, 0, value, n=1000),
            concluded(number),
        ]
    return Tree.of(bodies)


def test_a_change_that_always_goes_with_a_gain_is_told_from_one_that_does_not() -> None:
    tree = grown(
        [
            (Variant(), CLEAN, 0.70),
            (Variant(epochs=2.0), CLEAN, 0.71),
            (Variant(epochs=2.0), DataRecipe(), 0.50),
            (Variant(batch_size=64), CLEAN, 0.69),
        ]
    )
    found = {one.field: one for one in determinants(tree)}
    clean = found["drop_conflicts(none) added"]
    assert clean.low > 0
    assert clean.effect == pytest.approx(0.2, abs=0.05)
    assert clean.n == 3
    assert found["variant.epochs up"].low < 0 < found["variant.epochs up"].high
    assert determinants(tree)[0] == clean


def test_a_metric_that_is_to_be_small_is_turned_round() -> None:
    tree = grown([(Variant(), CLEAN, 0.2)])
    assert [pair.delta for pair in pairs(tree)] == pytest.approx([-0.3])
    small = Tree(nodes=tree.nodes, base=tree.base, direction="min")
    assert [pair.delta for pair in pairs(small)] == pytest.approx([0.3])


def test_a_root_alone_has_no_pairs() -> None:
    assert determinants(grown([])) == ()


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (1e-4, 3e-4, "variant.lr up"),
        (3e-4, 1e-4, "variant.lr down"),
        (None, 5, "variant.lr changed"),
        ("cosine", "linear", "variant.lr linear"),
        (False, True, "variant.lr changed"),
    ],
)
def test_turns_in_words(before: Any, after: Any, words: str) -> None:
    assert turn(Change(field="variant.lr", before=before, after=after)) == words


def test_operators_come_and_go_by_what_they_do() -> None:
    there, back = grown([(Variant(), CLEAN, 0.7)]), grown([])
    assert [pair.turns for pair in pairs(there)] == [("drop_conflicts(none) added",)]
    assert list(pairs(back)) == []
