from __future__ import annotations

import pytest

from ft_bench.plan import DataRecipe, ExperimentPlan, Operation, Variant
from ft_bench.record import Built, Opened, Planned, Reserved, Usage
from ft_bench.testing.records import (
    bodies_of,
    concluded,
    evaluated,
    failed,
    grown,
    plan,
    trained,
)
from ft_bench.tree import Tree

FAMILY = [(None, [0.6]), (0, [0.7]), (0, [0.65]), (1, [None]), (1, [0.8]), (4, [0.75])]


def test_an_empty_journal_is_an_empty_tree() -> None:
    tree = Tree.of([])
    assert (len(tree), list(tree), tree.best(), tree.curve(), tree.base) == (0, [], None, [], None)


def test_children_siblings_path_and_subtree() -> None:
    tree = grown(FAMILY)
    assert [node.id for node in tree.children(1)] == [3, 4]
    assert [node.id for node in tree.siblings(1)] == [2]
    assert tree.siblings(0) == []
    assert [node.id for node in tree.path(5)] == [0, 1, 4, 5]
    assert [node.id for node in tree.path(0)] == [0]
    assert [node.id for node in tree.subtree(1)] == [1, 3, 4, 5]
    assert [node.id for node in tree.subtree(0)] == [0, 1, 2, 3, 4, 5]


def test_an_unknown_node_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        grown(FAMILY).node(99)


def test_the_fold_takes_each_kind_of_body() -> None:
    recipe = DataRecipe(steps=(Operation(op="x"),))
    made = ExperimentPlan(
        strategy="establish_baseline",
        objective="x",
        variants=(Variant(lr=1e-4), Variant(lr=2e-4, recipe=recipe)),
    )
    built = Built(node=0, recipe=recipe, dataset="d2", rows=3, rows_read=4, path="p")
    tree = Tree.of(
        [
            Opened(attempt=1, pid=1),
            evaluated(None, None, 0.5),
            Planned(node=0, parent=None, plan=made),
            built,
            Reserved(reservation="r", amount=Usage(), purpose="x"),
            failed(0, 0),
            trained(0, 1),
            evaluated(0, 1, 0.7),
            concluded(0, verdict="baseline"),
        ]
    )
    node = tree.node(0)
    assert tree.base is not None
    assert tree.base.value == 0.5
    assert [item.dataset for item in node.outcomes] == [None, built]
    assert node.datasets == (built,)
    assert [failure.failure for failure in node.failures()] == ["DIVERGED"]
    assert node.outcomes[1].trained == trained(0, 1)
    assert (node.status, tree.value(0)) == ("succeeded", 0.7)


def test_a_failed_dataset_fails_every_variant() -> None:
    broken = failed(0).model_copy(update={"variant": None, "phase": "build"})
    tree = Tree.of([Planned(node=0, parent=None, plan=plan(1e-4, 2e-4)), broken])
    assert [failure.phase for failure in tree.node(0).failures()] == ["build", "build"]


def test_a_replica_confirms_and_never_replaces() -> None:
    bodies = [
        *bodies_of([(None, [0.6])]),
        trained(0, 0, 2),
        evaluated(0, 0, 0.9, replica=2),
        trained(0, 0, 1),
        evaluated(0, 0, 0.4, replica=1),
    ]
    outcome = Tree.of(bodies).node(0).outcomes[0]
    assert outcome.score is not None
    assert outcome.score.value == 0.6
    assert [(replica, score.value) for replica, score in outcome.confirmations] == [
        (1, 0.4),
        (2, 0.9),
    ]
    broken = failed(0, 0).model_copy(update={"replica": 3})
    assert Tree.of([*bodies, broken]).node(0).failures() == ()


@pytest.mark.parametrize(("direction", "best"), [("max", 1), ("min", 0)])
def test_the_best_follows_the_direction(direction: str, best: int) -> None:
    tree = grown([(None, [0.3, 0.8])], direction=direction)  # type: ignore[arg-type]
    found = tree.best()
    assert found is not None
    assert found[1].index == best


def test_ties_go_to_the_cheaper_then_to_the_first() -> None:
    bodies = [
        Planned(node=0, parent=None, plan=plan(1e-4, 2e-4, 3e-4)),
        *(trained(0, variant, samples=samples) for variant, samples in enumerate((300, 100, 100))),
        *(evaluated(0, variant, 0.7) for variant in range(3)),
        concluded(0),
    ]
    best = Tree.of(bodies).node(0).best()
    assert best is not None
    assert best.index == 1


def test_ties_between_nodes_go_to_the_cheaper_then_to_the_earlier() -> None:
    def tree(samples: int) -> Tree:
        return Tree.of(
            [
                Planned(node=0, parent=None, plan=plan(1e-4)),
                trained(0, samples=200),
                evaluated(0, 0, 0.7),
                Planned(node=1, parent=0, plan=plan(2e-4)),
                trained(1, samples=samples),
                evaluated(1, 0, 0.7),
            ]
        )

    for samples, winner in ((100, 1), (200, 0), (300, 0)):
        found = tree(samples).best()
        assert found is not None
        assert found[0].id == winner


def test_nothing_scored_has_no_best() -> None:
    tree = grown([(None, [None, None])])
    assert tree.best() is None
    assert tree.value(0) is None


def test_the_curve_never_turns_back() -> None:
    assert grown(FAMILY).curve() == [(0, 0.6), (1, 0.7), (2, 0.7), (4, 0.8), (5, 0.8)]
    low = grown([(None, [0.6]), (0, [0.4]), (0, [0.5])], direction="min")
    assert low.curve() == [(0, 0.6), (1, 0.4), (2, 0.4)]


def test_the_digest_ignores_times_paths_and_words() -> None:
    def tree(seconds: float, folder: str, words: str) -> Tree:
        changed = trained(0).model_copy(update={"device_seconds": seconds, "path": folder})
        made = plan(1e-4, objective=words)
        return Tree.of([Planned(node=0, parent=None, plan=made), changed, evaluated(0, 0, 0.7)])

    assert tree(1.0, "a", "b").digest() == tree(2.0, "c", "d").digest()


@pytest.mark.parametrize(
    "other",
    [
        [(None, [0.6]), (0, [0.71])],
        [(None, [0.6]), (0, [None])],
        [(None, [0.6]), (0, [0.7]), (0, [0.7])],
        [(None, [0.6]), (0, [0.7, 0.1])],
    ],
    ids=["score", "failure", "node", "variant"],
)
def test_the_digest_sees_what_matters(other: list[tuple[int | None, list[float | None]]]) -> None:
    assert grown(other).digest() != grown([(None, [0.6]), (0, [0.7])]).digest()


def test_the_digest_sees_confirmations_but_not_their_order() -> None:
    plain = list(bodies_of([(None, [0.6])]))
    one, two = evaluated(0, 0, 0.5, replica=1), evaluated(0, 0, 0.7, replica=2)
    forth, back = Tree.of([*plain, one, two]), Tree.of([*plain, two, one])
    assert forth == back
    assert forth.digest() == back.digest() != Tree.of([*plain, one]).digest()


def test_a_tree_is_not_changed_by_what_comes_after() -> None:
    before = grown(FAMILY)
    seen = before.digest()
    after = before.with_body(Planned(node=6, parent=0, plan=plan(5e-3)))
    assert (len(before), before.digest(), len(after)) == (6, seen, 7)
