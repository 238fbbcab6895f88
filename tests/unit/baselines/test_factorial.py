from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from ft_bench.plan import DataRecipe, Operation, Variant
from ft_bench_baselines.factorial import Configuration, Factorial, plan_of
from trex_agent.space import Move

START = Variant(lr=1e-3, samples=100)
DEDUP = Operation(op="deduplicate_by_text_hash", params={"column": "prompt"})


class Small:
    """Two ways to deduplicate, three learning rates, of which a forbidden one, two schedules."""

    def start(self) -> DataRecipe:
        return DataRecipe(max_samples=10)

    def roots(self, count: int) -> list[Variant]:
        return [START][:count]

    def moves(self, recipe: DataRecipe, scheme: Variant) -> list[Move]:
        rates = [
            Move(f"lr={lr:g}", "adjust_training_scheme", scheme=(("lr", lr),))
            for lr in (1e-2, 1e-4)
        ]
        other = DEDUP.model_copy(update={"params": {"column": "prompt", "key": "smiles"}})
        linear = Move("linear", "adjust_training_scheme", scheme=(("schedule", "linear"),))
        dedups = [
            Move(str(n), "refine_data_pipeline", add=op) for n, op in enumerate((DEDUP, other))
        ]
        return [*rates, *dedups, linear]

    def promises(self) -> dict[str, float]:
        return {}

    def allows(self, recipe: DataRecipe, scheme: Variant) -> bool:
        return scheme.lr < 5e-3


def test_one_move_of_each_slot_is_decided_and_numbers_stand_in_their_order() -> None:
    dedup, rate, schedule = Factorial(Small()).decisions
    assert (dedup.slot, len(dedup.options), dedup.ordered) == ("deduplicate_by_text_hash", 3, False)
    names = [move.name if move else None for move in rate.options]
    assert (rate.slot, names, rate.ordered) == ("lr", ["lr=0.0001", None, "lr=0.01"], True)
    assert (schedule.slot, len(schedule.options), schedule.ordered) == ("schedule", 2, False)


def test_a_point_is_the_baseline_with_its_moves() -> None:
    factorial = Factorial(Small())
    assert factorial.configuration((0, 1, 0)) == (DataRecipe(max_samples=10), START)
    recipe, scheme = factorial.configuration((1, 0, 1))
    assert recipe.steps == (DEDUP,)
    assert (scheme.lr, scheme.schedule) == (1e-4, "linear")


def test_every_allowed_point_is_drawn_equally_often() -> None:
    factorial, rng = Factorial(Small()), np.random.default_rng(0)
    drawn = Counter(factorial.draw(rng, set()) for _ in range(2400))
    assert len(drawn) == 12  # 3 x 2 of 3 x 2
    assert all(index[1] < 2 for index in drawn if index)
    assert max(abs(count - 200) for count in drawn.values()) < 60  # over four deviations


def test_a_space_is_exhausted_in_the_end() -> None:
    factorial, rng, known = Factorial(Small()), np.random.default_rng(0), set[Configuration]()
    for _ in range(12):
        point = factorial.draw(rng, known)
        assert point is not None
        known.add(factorial.configuration(point))
    assert factorial.draw(rng, known) is None


def test_a_plan_holds_whole_configurations() -> None:
    factorial = Factorial(Small())
    made = [factorial.configuration(point) for point in ((0, 1, 0), (1, 0, 1), (0, 0, 0))]
    plan = plan_of(made, "three", "random")
    assert [(recipe, scheme.scheme()) for recipe, scheme in plan.configurations()] == made
    with pytest.raises(ValueError, match="two variants"):
        plan_of([made[0], made[0]], "twice the same", "random")
