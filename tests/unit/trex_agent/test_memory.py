from __future__ import annotations

import pytest

from ft_bench.record import Diagnosis, Finding
from ft_bench.testing.records import bodies_of, grown
from ft_bench.tree import Tree
from trex_agent.memory import key_nodes, memory, tokens_of


@pytest.fixture
def tree() -> Tree:
    return _deep(12)


def _deep(nodes: int) -> Tree:
    """A root, a chain below it, and a side branch at every second node."""
    shape = [(None, [0.5, 0.6])]
    shape += [(max(0, n - 1 - n % 2), [0.5 + 0.02 * (n % 7), None]) for n in range(1, nodes)]
    return grown(shape)


def test_tokens_are_counted_by_length() -> None:
    assert [tokens_of("x" * n) for n in (0, 1, 7, 8)] == [0, 1, 2, 3]


def test_path_and_siblings_are_there_and_the_ends_of_the_path_in_full(tree: Tree) -> None:
    node = max(range(len(tree)), key=lambda n: len(tree.path(n)))
    text = memory(tree, node)
    for item in tree.path(node):
        assert f"- node {item.id} [" in text
    assert text.startswith("## From the root to the parent")
    whole = [tree.path(node)[0].id, tree.path(node)[-2].id, node]
    for item in whole:
        after = text.split(f"- node {item} [")[1]
        assert "variant 0:" in after.split("- node")[0]


def test_each_node_stands_there_once(tree: Tree) -> None:
    text = memory(tree, 5)
    for item in tree:
        assert text.count(f"- node {item.id} [") <= 1


@pytest.mark.parametrize("limit", [60, 120, 250, 500, 1000, 8000])
def test_the_limit_holds_and_what_is_dropped_is_counted(limit: int) -> None:
    tree = _deep(40)
    insights = [
        {"feature": f"f{n}", "effect": 0.1, "low": 0.0, "high": 0.2, "n": 3, "supported": True}
        for n in range(8)
    ]
    text = memory(tree, 20, limit=limit, insights=insights, notes="try fewer epochs " * 20)
    assert tokens_of(text) <= limit
    if limit == 250:
        assert "more)" in text


def test_a_counter_may_be_plugged_in(tree: Tree) -> None:
    text = memory(tree, 5, limit=80, count=lambda text: len(text.split()))
    assert len(text.split()) <= 80


def test_notes_and_insights_are_shown(tree: Tree) -> None:
    insight = {"feature": "lr", "effect": 0.1, "low": -0.1, "high": 0.3, "n": 3, "supported": False}
    text = memory(tree, 3, insights=[insight], notes="no augmentation, please")
    assert "- a person notes: no augmentation, please" in text
    assert "- lr: effect +0.1 [-0.1, +0.3], n=3, not sure" in text


def test_findings_of_the_parent_are_shown() -> None:
    said = Diagnosis(
        verdict="tie", text="a tie", findings=(Finding(name="x", share=0.2, text="20% are cut"),)
    )
    bodies = list(bodies_of([(None, [0.5]), (0, [0.6])]))
    bodies = [
        b.model_copy(update={"diagnosis": said}) if b.kind == "concluded" else b for b in bodies
    ]
    assert "finding: 20% are cut" in memory(Tree.of(bodies), 1)


def test_key_nodes_are_gains_and_losses_by_turns_and_never_the_root() -> None:
    tree = grown(
        [(None, [0.5]), (0, [0.9]), (0, [0.1]), (0, [0.5]), (0, [0.95]), (0, [None]), (0, [0.2])]
    )
    chosen = [node.id for node in key_nodes(tree)]
    assert 0 not in chosen
    assert len(chosen) <= 6
    assert {chosen[0], chosen[1]} <= {1, 4, 2, 6}
    assert chosen[0] in (1, 4)
    assert chosen[1] in (2, 6)
    assert 5 in chosen


def test_it_is_a_pure_function(tree: Tree) -> None:
    assert memory(tree, 7) == memory(tree, 7)
