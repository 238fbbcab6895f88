from __future__ import annotations

from ft_bench.plan import Variant
from ft_bench.record import Planned
from ft_bench.testing.records import bodies_of, evaluated, grown, plan, trained
from ft_bench.tree import Tree
from trex_agent.confirm import contenders, verdict


def _with(tree: list[tuple[int | None, list[float]]], *fresh: tuple[int, int, float]) -> Tree:
    """A tree and its confirmations: (node, replica, value)."""
    bodies = list(bodies_of(tree))  # type: ignore[arg-type]
    bodies += [evaluated(node, 0, value, replica=replica) for node, replica, value in fresh]
    return Tree.of(bodies)


NODES: list[tuple[int | None, list[float]]] = [(None, [0.6]), (0, [0.9]), (0, [0.8]), (0, [0.7])]


def test_contenders_are_the_best_by_validation() -> None:
    assert [c.node for c in contenders(_with(NODES), 3)] == [1, 2, 3]
    assert contenders(_with(NODES), 0) == []
    assert contenders(Tree(), 3) == []


def test_of_a_loss_the_lowest() -> None:
    tree = grown(NODES, direction="min")
    assert [c.node for c in contenders(tree, 2)] == [0, 3]


def test_ties_go_to_the_cheaper_then_the_earlier() -> None:
    bodies = []
    for node, samples in enumerate((300, 100, 100)):
        parent = 0 if node else None
        bodies += [Planned(node=node, parent=parent, plan=plan((1 + node) * 1e-4))]
        bodies += [trained(node, samples=samples), evaluated(node, 0, 0.7)]
    assert [c.node for c in contenders(Tree.of(bodies), 3)] == [1, 2, 0]


def test_a_configuration_contends_once() -> None:
    made = plan(1e-4, 2e-4)
    again = made.model_copy(update={"variants": (Variant(lr=2e-4), Variant(lr=3e-4))})
    bodies = [Planned(node=0, parent=None, plan=made), Planned(node=1, parent=0, plan=again)]
    bodies += [evaluated(n, v, 0.7 + n / 10) for n in range(2) for v in range(2)]
    found = contenders(Tree.of(bodies), 9)
    assert [(c.node, c.outcome.index) for c in found] == [(1, 0), (1, 1), (0, 0)]


def test_without_confirmation_the_best_on_validation_stands() -> None:
    assert verdict(_with(NODES), 3) == ("n1v0", "best on validation, unconfirmed")


def test_the_best_mean_over_fresh_seeds_wins_and_the_first_score_does_not_count() -> None:
    tree = _with(NODES, (1, 1, 0.5), (1, 2, 0.6), (2, 1, 0.7), (2, 2, 0.74))
    chosen = verdict(tree, 3)
    assert chosen is not None
    assert chosen[0] == "n2v0"
    assert "0.7200, of 2 confirmed" in chosen[1]


def test_of_the_winners_models_the_best_on_validation_is_entered() -> None:
    assert verdict(_with(NODES, (1, 1, 0.95), (1, 2, 0.91)), 3) == (
        "n1v0r1",
        "best mean over fresh seeds, 0.9300, of 1 confirmed configurations",
    )


def test_nothing_scored_has_no_verdict() -> None:
    assert verdict(grown([(None, [None])]), 3) is None
