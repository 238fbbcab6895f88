"""The search tree and its nodes as text."""

from __future__ import annotations

import pytest
from records_by_hand import (
    CHINESE,
    HOSTILE,
    a_plan,
    a_recipe,
    a_run,
    concluded,
    evaluated,
    failed,
    planned,
)

from ft_bench.plan import ExpectedEffect, Lora, Operation, Source, Variant
from ft_bench.record import Overlap
from ft_bench.report.cells import width_of
from ft_bench.report.recipe import overlap_words, passages, recipe_words, scheme_words
from ft_bench.report.tree_text import node_text, tree_text, walk
from ft_bench.tree import Tree


def lines_of(text: str) -> dict[str, str]:
    """The lines of nodes by their number."""
    found = {}
    for line in text.splitlines():
        words = line.replace("├─", " ").replace("└─", " ").replace("│", " ").split()
        place = next((i for i, word in enumerate(words[:3]) if word in "✓✗…"), None)
        if place is not None and words[place + 1].isdigit():
            found[words[place + 1]] = line
    return found


def test_each_node_has_its_status_value_difference_and_verdict() -> None:
    lines = lines_of(tree_text(Tree.of(a_run()), (1, 0)))
    assert list(lines) == ["0", "1", "2", "3"]
    assert lines["0"].split()[:6] == [">", "✓", "0", "0.500", "+0.496", "baseline"]
    assert lines["1"].split()[:7] == ["*", "├─✓", "1", "0.600", "+0.100", "new", "best"]
    assert "✗ 2" in lines["2"]
    assert lines["2"].split()[-5:] == ["–", "failed", "scheme", "Train", "longer"]
    assert "+0.050 tie      synthesis 法律" in lines["3"]


def test_only_the_path_to_the_selected_node_is_marked() -> None:
    marked = [
        n for n, line in lines_of(tree_text(Tree.of(a_run()), (3, 0))).items() if line[0] != " "
    ]
    assert marked == ["0", "3"]
    unmarked = tree_text(Tree.of(a_run()), None)
    assert all(line[0] == " " for line in lines_of(unmarked).values())


def test_the_summary_counts() -> None:
    first = tree_text(Tree.of(a_run()), None).splitlines()[0]
    assert first == "4 nodes, 1 failed; base 0.004; best 0.600 at node 1"


def test_a_run_that_has_just_begun_is_no_error() -> None:
    assert tree_text(Tree(), None) == "No node yet.\n"
    assert tree_text(Tree.of([evaluated(None, None, 0.25)]), None) == (
        "No node yet; the base scores 0.250.\n"
    )
    running = tree_text(Tree.of([planned(0, None)]), None)
    assert "… 0" in running
    assert "running" in running


@pytest.mark.parametrize("width", [40, 80])
def test_no_line_is_wider_than_the_terminal(width) -> None:
    bodies = [*a_run(), planned(4, 3, a_plan(HOSTILE)), concluded(4, "failed", HOSTILE * 50)]
    tree = Tree.of(bodies)
    shown = [tree_text(tree, (3, 0), width), *(node_text(tree, node, width) for node in tree)]
    assert max(width_of(line) for text in shown for line in text.splitlines()) <= width
    assert not any("\x1b" in text for text in shown)


def test_a_chain_of_500_nodes_keeps_room_for_its_numbers() -> None:
    bodies = [planned(0, None)]
    bodies += [planned(n, n - 1) for n in range(1, 500)]
    bodies += [evaluated(499, 0, 0.5)]
    tree = Tree.of(bodies)
    assert [place.node.id for place in walk(tree)] == list(range(500))
    last = lines_of(tree_text(tree, None, 80))["499"]
    assert "0.500" in last
    assert width_of(last) <= 80


def test_a_node_is_shown_whole() -> None:
    tree = Tree.of(a_run())
    text = node_text(tree, tree.node(1))
    for words in (
        "Node 1, from node 0: data, new best",
        "added deduplicate_by_text_hash(column=prompt)",
        "lr: 0.001 -> 0.0001",
        "1,200 rows read, 1,000 kept, 1.5 s",
        "deduplicate_by_text_hash: 1,200 -> 1,100 (100 duplicate)",
        "cap on rows: 1,100 -> 1,000",
        "validation: 3 exact, 4 by 13-gram, 0 near of 1,000 rows (0.4%)",
        "score      0.600 (0.570 to 0.630, n 300, 2 invalid)",
        "confirmed  seed 1: 0.590",
        "32 updates, 1,000 rows, 12 s, loss 2.500 -> 0.400",
        "30 fixed, 4 broken, 50 still wrong",
        "invalid format: 20% of the outputs hold no answer",
        "97% likely better",
    ):
        assert words in text, words


def test_a_variant_with_its_own_recipe_says_what_is_different() -> None:
    own = Variant(recipe=a_recipe("drop_conflicts"))
    plan = a_plan(recipe=a_recipe("deduplicate_by_text_hash"), variants=(Variant(), own))
    tree = Tree.of([planned(0, None, plan)])
    text = node_text(tree, tree.node(0))
    assert "dropped deduplicate_by_text_hash(column=prompt)" in text.partition("variant 1")[2]
    assert "added drop_conflicts(column=prompt)" in text.partition("variant 1")[2]
    assert "dropped" not in text.partition("variant 1")[0]


def test_a_failure_is_shown_with_its_cause() -> None:
    tree = Tree.of(a_run())
    assert "DIVERGED in train: the loss became NaN" in node_text(tree, tree.node(0))
    assert "DIVERGED in train: out of memory" in node_text(tree, tree.node(2))


def test_a_child_of_a_node_without_score_has_no_difference() -> None:
    bodies = [planned(0, None), failed(0, None), planned(1, 0, a_plan(CHINESE))]
    tree = Tree.of(bodies)
    assert "unknown: the parent has no scored variant" in node_text(tree, tree.node(1))


def test_what_the_proposer_expected_is_shown() -> None:
    effect = ExpectedEffect(delta=0.1, low=-0.05, high=0.2, falsified_if="no item is fixed")
    plan = a_plan(
        hypothesis="fewer copies help", evidence=("12% repeated",), expected_effect=effect
    )
    tree = Tree.of([planned(0, None, plan)])
    text = node_text(tree, tree.node(0))
    assert "+0.100 (−0.050 to +0.200); wrong if no item is fixed" in text
    assert "fewer copies help" in text
    assert "12% repeated" in text


def test_recipe_and_scheme_in_words() -> None:
    recipe = a_plan().recipe.model_copy(
        update={
            "sources": (Source(id="extra.jsonl", weight=0.5, max_rows=2000, licence="MIT"),),
            "steps": (Operation(op="filter", params={"where": "len > 3", "keep": [1, 2]}),),
        }
    )
    assert recipe_words(recipe) == [
        "source extra.jsonl, weight 0.5, at most 2,000 rows, licence MIT",
        "filter(where=len > 3, keep=[1,2])",
        "at most 1,000 rows",
    ]
    assert scheme_words(Variant(lora=Lora(r=8), lr=2e-4, epochs=3, packing=True)) == (
        "sft, LoRA r 8, alpha 32, lr 0.0002 cosine, warmup 0.05, 3 epochs, batch 32, length 512, "
        "packed"
    )


def test_a_lineage_of_another_form_is_left_out() -> None:
    strange = {"sources": "train", "steps": [{"operator": "x"}, 3, {"rows_in": 5, "rows_out": 4}]}
    assert [(p.name, p.before, p.after) for p in passages(strange)] == [("?", 5, 4)]
    assert passages({}) == []


def test_overlap_in_words() -> None:
    assert overlap_words(Overlap(split="test", rows=10)) == (
        "test: 0 exact, 0 by 13-gram, 0 near of 10 rows"
    )
