from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest

from ft_bench.plan import DataRecipe, Operation, Variant, changes
from ft_bench.protocols import Brief
from trex_agent.space import Move, apply_moves, features, moves, root_variants, start_recipe
from trex_agent.survey import Issue, Survey

Make = Callable[..., Brief]
ROWS = {"train": 4000, "validation": 100}
DEDUP = Operation(op="deduplicate_by_text_hash", params={"column": "prompt"})
CLEAN = Operation(op="decontaminate", params={"column": "prompt", "against": "validation"})
LONG = Operation(op="filter_by_word_count", params={"column": "prompt", "least": 4})
LONGER = Operation(op="filter_by_word_count", params={"column": "prompt", "least": 6})
WEB = Operation(op="select_by_filter", params={"where": "source <> 'web'"})
BOOK = Operation(op="select_by_filter", params={"where": "source <> 'book'"})
FOUND = Survey(
    rows=4000,
    issues=(
        Issue("duplicates", 0.2, (DEDUP,), ""),
        Issue("copies", 0.1, (CLEAN,), ""),
        Issue("short", 0.4, (LONG, LONGER), ""),
        Issue("web", 0.3, (WEB,), ""),
        Issue("book", 0.3, (BOOK,), "", weight=-1.0),
    ),
    molecules=True,
    balance_column="answer",
)


@pytest.fixture
def told(brief: Make) -> Brief:
    return brief([], [], rows=ROWS)


def adding(operation: Operation) -> Move:
    return Move(operation.op, "refine_data_pipeline", add=operation)


def test_operations_stand_in_one_order_however_they_came() -> None:
    chosen = [adding(operation) for operation in (DEDUP, CLEAN, LONG, WEB, BOOK)]
    recipes = {
        apply_moves(DataRecipe(), Variant(), order)[0].model_dump_json()
        for order in permutations(chosen)
    }
    assert len(recipes) == 1


def test_filters_come_before_what_looks_at_the_whole_pool() -> None:
    recipe, _ = apply_moves(DataRecipe(), Variant(), [adding(DEDUP), adding(WEB)])
    assert [step.op for step in recipe.steps] == ["select_by_filter", "deduplicate_by_text_hash"]


@pytest.mark.parametrize("operation", [DEDUP, LONG, WEB])
def test_making_a_move_twice_is_making_it_once(operation: Operation) -> None:
    once, _ = apply_moves(DataRecipe(), Variant(), [adding(operation)])
    twice, _ = apply_moves(once, Variant(), [adding(operation)])
    assert once == twice


def test_an_operation_takes_the_place_of_its_like_and_filters_stand_side_by_side() -> None:
    recipe, _ = apply_moves(DataRecipe(), Variant(), [adding(LONG), adding(LONGER)])
    assert recipe.steps == (LONGER,)
    recipe, _ = apply_moves(DataRecipe(), Variant(), [adding(WEB), adding(BOOK)])
    assert set(map(str, recipe.steps)) == {str(WEB), str(BOOK)}


def test_a_move_of_the_scheme_changes_that_field_alone() -> None:
    move = Move("lr=0.001", "adjust_training_scheme", scheme=(("lr", 1e-3),))
    made = apply_moves(DataRecipe(), Variant(), [move])
    assert [change.field for change in changes((DataRecipe(), Variant()), made)] == ["variant.lr"]


def test_every_move_changes_what_its_strategy_owns_and_something(told: Brief) -> None:
    start = (DataRecipe(max_samples=2000, steps=(LONG,)), Variant(lr=2e-4, epochs=2))
    owned = {"refine_data_pipeline": "recipe.", "construct_synthetic_data": "recipe."}
    open_moves = moves(FOUND, *start, told)
    assert len({move.name for move in open_moves}) == len(open_moves)
    for move in open_moves:
        made = changes(start, apply_moves(*start, [move]))
        prefix = owned.get(move.strategy, "variant.")
        assert made, move.name
        assert all(change.field.startswith(prefix) for change in made), move.name


def test_what_is_done_is_not_offered_again_also_after_the_wire(told: Brief) -> None:
    """The journal sorts the keys of an operation's parameters."""
    recipe = DataRecipe(steps=(CLEAN, DEDUP))
    kept = DataRecipe.model_validate_json(
        '{"steps": [{"op": "decontaminate", "params": {"against": "validation", "column": '
        '"prompt"}}, {"op": "deduplicate_by_text_hash", "params": {"column": "prompt"}}]}'
    )
    offered = [
        [move.name for move in moves(FOUND, each, Variant(), told) if move.add is not None]
        for each in (recipe, kept)
    ]
    assert offered[0] == offered[1]
    assert "decontaminate" not in offered[0]
    assert "without decontaminate" in [m.name for m in moves(FOUND, kept, Variant(), told)]


def test_an_operation_can_be_taken_out_again(told: Brief) -> None:
    recipe = DataRecipe(steps=(LONG, DEDUP))
    drop = next(m for m in moves(FOUND, recipe, Variant(), told) if m.drop and "hash" in m.drop)
    assert apply_moves(recipe, Variant(), [drop])[0].steps == (LONG,)


def test_a_rate_never_passes_one_and_sizes_stay_within_the_cap(told: Brief) -> None:
    recipe, scheme = DataRecipe(max_samples=300), Variant(lr=0.9)
    for move in moves(FOUND, recipe, scheme, told):
        made, variant = apply_moves(recipe, scheme, [move])
        assert variant.lr <= 1
        assert made.max_samples is not None
        assert 300 <= made.max_samples <= 50_000


def test_the_likelier_remedy_promises_more(told: Brief) -> None:
    promise = {move.name: move.promise for move in moves(FOUND, DataRecipe(), Variant(), told)}
    assert promise["filter_by_word_count(4)"] == pytest.approx(0.4)
    assert promise["filter_by_word_count(6)"] == pytest.approx(0.2)
    assert promise["select_by_filter(source <> 'book')"] < 0


def test_small_models_are_trained_whole_and_large_ones_by_adapters(brief: Make) -> None:
    small = root_variants(brief([], [], rows=ROWS, base_parameters=110_000), 5)
    large = root_variants(brief([], [], rows=ROWS, base_parameters=1_700_000_000), 5)
    unknown = root_variants(brief([], [], rows=ROWS, base_parameters=0), 5)
    assert all(variant.lora is None for variant in small)
    assert all(variant.lora is not None for variant in [*large, *unknown])
    assert min(variant.lr for variant in small) < max(variant.lr for variant in large)
    assert len({variant.lr for variant in small}) == 5


def test_the_first_look_is_capped(brief: Make) -> None:
    assert start_recipe(brief([], [], max_samples=900)).max_samples == 900
    first = start_recipe(brief([], [], max_samples=50_000)).max_samples
    assert first is not None
    assert first < 50_000


def test_features_are_numbers_with_one_per_operation() -> None:
    found = features(DataRecipe(steps=(WEB, BOOK, DEDUP)), Variant(lr=1e-3, batch_size=64))
    assert found["log10 lr"] == pytest.approx(-3)
    assert found["log10 lr squared"] == pytest.approx(9)
    assert found["log2 batch"] == 6
    assert found["deduplicate_by_text_hash"] == 1.0
    assert found["select_by_filter(source <> 'web')"] == 1.0
    assert found["select_by_filter(source <> 'book')"] == 1.0
