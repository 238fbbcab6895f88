from __future__ import annotations

from collections import Counter
from math import log, sqrt

import numpy as np
import pytest

from ft_bench.errors import UnknownName
from ft_bench.record import Planned
from ft_bench.testing.records import bodies_of, grown, plan
from ft_bench.tree import Tree
from trex_agent.search.policy import POLICIES, Select, Uct, policy
from trex_agent.search.reward import noise, rewards

RNG = np.random.default_rng(0)
FAMILY = [(None, [0.6]), (0, [0.8]), (0, [0.7]), (1, [None])]
"""Root 0 with children 1 and 2; 3 is a failed child of 1."""


def _scaled(tree: Tree) -> dict[int, float]:
    """The rewards by hand: lo is the worst success, and the span is at least eight sigma."""
    best = tree.best()
    assert best is not None
    assert best[1].score is not None
    p = best[1].score.value
    values = {node.id: tree.value(node.id) for node in tree}
    lo = min(v for v in values.values() if v is not None)
    span = max(p - lo, 8 * sqrt(p * (1 - p) / 100))
    return {n: 0.0 if v is None else min(1.0, (v - lo) / span) for n, v in values.items()}


def test_uct_by_hand() -> None:
    tree = grown(FAMILY)
    r = _scaled(tree)
    assert rewards(tree) == pytest.approx(r)
    mean = {0: sum(r.values()) / 4, 1: (r[1] + r[3]) / 2, 2: r[2]}
    above = {0: 4, 1: 4, 2: 4}
    size = {0: 4, 1: 2, 2: 1}
    expected = {
        node: 0.75 * r[node] + 0.25 * mean[node] + 0.5 * sqrt(log(1 + above[node]) / size[node])
        for node in (0, 1, 2)
    }
    assert Uct().values(tree) == pytest.approx(expected)
    assert Uct()(tree, RNG) == max(expected, key=lambda node: expected[node])


def test_the_papers_preset_by_hand() -> None:
    tree = grown(FAMILY)
    r = _scaled(tree)
    expected = {
        0: sum(r.values()) / 4 + sqrt(2) * sqrt(log(5) / 4),
        1: (r[1] + r[3]) / 2 + sqrt(2) * sqrt(log(5) / 2),
        2: r[2] + sqrt(2) * sqrt(log(5)),
    }
    paper = POLICIES["paper"]
    assert isinstance(paper, Uct)
    assert paper.values(tree) == pytest.approx(expected)
    assert paper(tree, RNG) == 2


def test_a_failed_node_is_a_visit_without_reward_and_gets_no_child() -> None:
    with_failure, without = grown(FAMILY), grown(FAMILY[:3])
    assert 3 not in Uct().values(with_failure)
    assert rewards(with_failure)[3] == 0.0
    assert Uct(beta=1.0).values(with_failure)[1] < Uct(beta=1.0).values(without)[1]


def test_a_running_node_is_a_visit_but_is_not_selected() -> None:
    done = list(bodies_of(FAMILY[:3]))
    tree = Tree.of([*done, Planned(node=3, parent=2, plan=plan(9e-3))])
    before, after = Uct().values(Tree.of(done)), Uct().values(tree)
    assert 3 not in after
    assert after[2] < before[2]


def test_the_cap_counts_all_children() -> None:
    tree = grown([(None, [0.9]), *[(0, [0.6]) for _ in range(3)], (0, [None])])
    assert 0 not in Uct(cap=4).values(tree)
    assert 0 in Uct(cap=5).values(tree)
    assert 0 in Uct(cap=None).values(tree)


def test_ties_go_to_the_older() -> None:
    tree = grown([(None, [0.5]), (0, [0.7]), (0, [0.7])])
    values = Uct().values(tree)
    assert values[1] == values[2]
    assert Uct(c=0.0)(tree, RNG) == 1


def test_greedy_takes_the_best_and_its_cap_the_next() -> None:
    nodes = [(None, [0.6]), (0, [0.8]), (0, [0.7]), *[(1, [0.6]) for _ in range(4)]]
    tree = grown(nodes)
    assert POLICIES["gbfs"](tree, RNG) == 1
    assert POLICIES["gbfs-cap"](tree, RNG) == 2


def test_sequential_takes_the_last_that_succeeded() -> None:
    assert POLICIES["ses"](grown(FAMILY), RNG) == 2
    assert POLICIES["ses"](grown(FAMILY[:2]), RNG) == 1


def test_random_takes_every_open_node_about_as_often() -> None:
    tree, rng = grown(FAMILY), np.random.default_rng(1)
    counts = Counter(POLICIES["random"](tree, rng) for _ in range(900))
    assert set(counts) == {0, 1, 2}
    assert min(counts.values()) > 240


@pytest.mark.parametrize("name", POLICIES)
def test_nothing_open_is_none(name: str) -> None:
    select: Select = policy(name)
    assert select(grown([(None, [None])]), RNG) is None
    assert select(Tree(), RNG) is None


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_changes_nothing_and_depends_on_tree_and_generator_alone(name: str) -> None:
    tree = grown(FAMILY)
    before = tree.digest()
    picks = {policy(name)(tree, np.random.default_rng(5)) for _ in range(3)}
    assert len(picks) == 1
    assert tree.digest() == before


def test_an_unknown_policy_has_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="'mtcs'; did you mean 'mcts'"):
        policy("mtcs")


# --- rewards


def test_small_differences_do_not_fill_the_scale() -> None:
    """Two hundredths on a hundred items are noise."""
    found = rewards(grown([(None, [0.50]), (0, [0.52])], base=0.5))
    assert found[0] == 0.0
    assert found[1] == pytest.approx(0.02 / (8 * sqrt(0.52 * 0.48 / 100)))


def test_large_differences_do() -> None:
    found = rewards(grown([(None, [0.1]), (0, [0.99])], base=0.05))
    assert found[1] == 1.0


def test_a_base_far_below_does_not_make_all_nodes_alike() -> None:
    far = rewards(grown([(None, [0.6]), (0, [0.7])], base=0.0))
    near = rewards(grown([(None, [0.6]), (0, [0.7])], base=0.6))
    assert far == near
    assert far[0] == 0.0


def test_what_is_worse_than_the_base_earns_nothing() -> None:
    found = rewards(grown([(None, [0.6]), (0, [0.7]), (0, [0.99])], base=0.8))
    assert found[0] == found[1] == 0.0
    assert found[2] > 0
    assert rewards(grown([(None, [0.6]), (0, [0.7])], base=0.9))[0] == 0.0


def test_a_loss_is_turned_round() -> None:
    nodes = [(None, [0.6]), (0, [0.2]), (0, [0.4])]
    down = rewards(grown(nodes, base=0.9, direction="min"))
    assert down[1] > down[2] > down[0] == 0


def test_a_tree_of_failures_has_no_reward() -> None:
    assert rewards(grown([(None, [None]), (0, [None])])) == {0: 0.0, 1: 0.0}
    assert rewards(Tree()) == {}


def test_nothing_between_best_and_worst_is_one_half() -> None:
    assert rewards(grown([(None, [1.0])], base=1.0))[0] == 0.5


def test_noise_is_of_items_and_seeds() -> None:
    from ft_bench.testing.records import evaluated

    bodies = list(bodies_of([(None, [0.6])]))
    items = 0.6 * 0.4 / 100
    assert noise(Tree.of(bodies)) == pytest.approx(sqrt(items))
    more = [evaluated(0, 0, 0.5, replica=1), evaluated(0, 0, 0.7, replica=2)]
    assert noise(Tree.of([*bodies, *more])) == pytest.approx(sqrt(items + 0.01))
    assert noise(Tree()) == 0.0
