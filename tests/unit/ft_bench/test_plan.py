from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ft_bench.errors import PlanInvalid
from ft_bench.plan import (
    DataRecipe,
    ExperimentPlan,
    Lora,
    Operation,
    Source,
    Strategy,
    Variant,
    changes,
    check_plan,
)
from ft_bench.testing.records import plan

CLEAN = DataRecipe(steps=(Operation(op="drop_conflicts", params={"keep": "none"}),))
PARENT = (DataRecipe(), Variant())


@pytest.mark.parametrize(
    "fields",
    [
        {"lr": 0},
        {"lr": 11},
        {"epochs": 0},
        {"epochs": 1001},
        {"batch_size": 0},
        {"max_length": 7},
        {"warmup": 1.0},
        {"weight_decay": -0.1},
        {"replica": -1},
        {"method": "ppo"},
        {"schedule": "step"},
        {"learning_rate": 1e-4},
        {"lora": {"r": 0}},
        {"lora": {"dropout": 1.0}},
    ],
    ids=str,
)
def test_a_variant_out_of_range_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Variant(**fields)


@pytest.mark.parametrize(
    "fields", [{"id": ""}, {"id": "train", "weight": 0}, {"id": "train", "max_rows": 0}], ids=str
)
def test_a_source_out_of_range_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Source(**fields)


def test_a_plan_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        plan().objective = "another"  # type: ignore[misc]


@pytest.mark.parametrize("count", [0, 9])
def test_a_plan_has_one_to_eight_variants(count: int) -> None:
    with pytest.raises(ValidationError):
        ExperimentPlan(
            strategy="establish_baseline",
            objective="x",
            variants=tuple(Variant(lr=(1 + n) * 1e-4) for n in range(count)),
        )


def test_variants_of_a_plan_differ() -> None:
    with pytest.raises(ValidationError, match="each to differ"):
        plan(1e-4, 1e-4)


def test_the_essence_is_what_is_executed() -> None:
    a, b = plan(1e-4, objective="in these words"), plan(1e-4, objective="in others")
    assert a.essence() == b.essence()
    assert a.essence() != plan(2e-4).essence()
    assert a.essence() != plan(1e-4, recipe=CLEAN).essence()


def test_a_variant_with_its_own_recipe_trains_on_that() -> None:
    both = ExperimentPlan(
        strategy="refine_data_pipeline",
        objective="ratios",
        variants=(Variant(), Variant(recipe=CLEAN)),
    )
    assert both.configurations() == ((DataRecipe(), Variant()), (CLEAN, Variant()))


def test_the_essence_does_not_tell_where_a_recipe_is_written() -> None:
    outside = plan(1e-4, recipe=CLEAN)
    inside = plan(1e-4).model_copy(update={"variants": (Variant(lr=1e-4, recipe=CLEAN),)})
    assert outside.essence() == inside.essence()


def test_the_scheme_leaves_out_recipe_and_replica() -> None:
    assert Variant(recipe=CLEAN, replica=2, lr=1e-3).scheme() == Variant(lr=1e-3)


def test_changes_name_each_field_that_differs() -> None:
    after = (CLEAN.model_copy(update={"max_samples": 10}), Variant(lr=3e-4, lora=Lora(r=8)))
    found = {change.field: (change.before, change.after) for change in changes(PARENT, after)}
    assert set(found) == {
        "recipe.drop_conflicts",
        "recipe.max_samples",
        "variant.lora",
        "variant.lr",
    }
    assert found["recipe.drop_conflicts"] == (None, {"keep": "none"})
    assert found["variant.lr"] == (1e-4, 3e-4)


def test_changes_tell_two_operations_of_a_kind_apart() -> None:
    one = Operation(op="select_by_filter", params={"where": "a"})
    two = Operation(op="select_by_filter", params={"where": "b"})
    left = (DataRecipe(steps=(one,)), Variant())
    right = (DataRecipe(steps=(one, two)), Variant())
    assert [change.field for change in changes(left, right)] == ["recipe.select_by_filter#2"]


def test_a_plan_equals_itself_after_the_wire() -> None:
    """What comes from the journal has lists where the agent had tuples."""
    recipe = DataRecipe(steps=(Operation(op="x", params={"b": ("p", "q"), "a": 1}),))
    kept = DataRecipe.model_validate_json(recipe.model_dump_json())
    assert changes((recipe, Variant()), (kept, Variant())) == ()


@pytest.mark.parametrize(
    ("strategy", "recipe", "variant", "allowed"),
    [
        ("refine_data_pipeline", CLEAN, Variant(), True),
        ("refine_data_pipeline", DataRecipe(), Variant(lr=1e-3), False),
        ("construct_synthetic_data", CLEAN, Variant(), True),
        ("construct_synthetic_data", CLEAN, Variant(epochs=2), False),
        ("adjust_training_scheme", DataRecipe(), Variant(lr=1e-3), True),
        ("adjust_training_scheme", DataRecipe(max_samples=5), Variant(), False),
        ("establish_baseline", CLEAN, Variant(lr=1e-3), True),
    ],
)
def test_a_strategy_touches_its_own_fields_only(
    strategy: Strategy, recipe: DataRecipe, variant: Variant, allowed: bool
) -> None:
    made = ExperimentPlan(strategy=strategy, objective="x", recipe=recipe, variants=(variant,))
    if allowed:
        check_plan(made, PARENT, [])
        return
    with pytest.raises(PlanInvalid, match=f"strategy '{strategy}' may only touch"):
        check_plan(made, PARENT, [])


def test_every_variant_is_held_to_the_strategy() -> None:
    made = ExperimentPlan(
        strategy="adjust_training_scheme",
        objective="x",
        variants=(Variant(lr=1e-3), Variant(lr=2e-3, recipe=CLEAN)),
    )
    with pytest.raises(PlanInvalid, match=r"recipe\.drop_conflicts"):
        check_plan(made, PARENT, [])


def test_the_root_may_be_anything() -> None:
    made = plan(1e-3, strategy="adjust_training_scheme", recipe=CLEAN)
    check_plan(made, None, [])


def test_a_repeated_plan_is_refused() -> None:
    with pytest.raises(PlanInvalid, match="repeats recipe and variants"):
        check_plan(plan(1e-3), None, [plan(1e-3, objective="said otherwise").essence()])


@pytest.mark.parametrize("name", ["validation", "test"])
def test_evaluation_splits_are_no_sources(name: str) -> None:
    inside = Variant(recipe=DataRecipe(sources=(Source(id="train"), Source(id=name))))
    made = ExperimentPlan(strategy="establish_baseline", objective="x", variants=(inside,))
    with pytest.raises(PlanInvalid, match=f"names '{name}' as a source"):
        check_plan(made, None, [])


def test_more_variants_than_the_budget_allows_are_refused() -> None:
    with pytest.raises(PlanInvalid, match="3 variants, expected at most 2"):
        check_plan(plan(1e-4, 2e-4, 3e-4), None, [], max_variants=2)
