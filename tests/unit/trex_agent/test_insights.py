from __future__ import annotations

from typing import Any

import pytest

from ft_bench.record import Planned
from ft_bench.testing.records import bodies_of, concluded, failed, grown, plan
from ft_bench.tree import Tree
from trex_agent.insights import insights
from trex_agent.memory import memory
from trex_agent.priors import carried, neutral
from trex_agent.search.closing import closed_strategies, exhausted, recurring
from trex_agent.search.policy import POLICIES


def failing(children: int, kind: str = "OOM", strategy: Any = "adjust_training_scheme") -> Tree:
    """A root that stands and children that fail alike."""
    bodies: list[Any] = list(bodies_of([(None, [0.5, 0.6])]))
    for number in range(1, children + 1):
        made = plan(1e-3 * number, strategy=strategy, objective=str(number))
        cause = f"needed {number} GiB"
        bodies += [
            Planned(node=number, parent=0, plan=made),
            failed(number, 0, kind).model_copy(update={"cause": cause}),  # type: ignore[arg-type]
            concluded(number, "failed", "failed"),
        ]
    return Tree.of(bodies)


def test_rules_have_an_effect_an_interval_and_words() -> None:
    tree = grown([(None, [0.5, 0.6, 0.7]), (0, [0.55, 0.65])])
    (first, *_) = insights(tree)
    assert first["low"] <= first["effect"] <= first["high"]
    assert first["n"] > 0
    assert first["feature"] in first["text"]
    assert insights(grown([(None, [0.5])])) == []


def test_two_equal_failures_become_a_rule() -> None:
    assert recurring(failing(1)) == {}
    (rule,) = [rule for rule in insights(failing(2)) if "failure" in rule]
    assert (rule["nodes"], rule["n"]) == ([1, 2], 2)
    assert rule["text"] == "nodes 1, 2 failed alike: OOM: needed # GiB"


def test_three_equal_failures_close_a_strategy_at_their_parent() -> None:
    assert closed_strategies(failing(2), 0) == frozenset()
    assert closed_strategies(failing(3), 0) == {"adjust_training_scheme"}
    assert not exhausted(failing(3), 0)


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_a_node_where_every_strategy_is_closed_is_not_selected(name: str) -> None:
    import numpy as np

    bodies: list[Any] = list(bodies_of([(None, [0.5])]))
    kinds = ("refine_data_pipeline", "construct_synthetic_data", "adjust_training_scheme")
    for number in range(1, 10):
        made = plan(1e-3 * number, strategy=kinds[number % 3], objective=str(number))  # type: ignore[arg-type]
        bodies += [
            Planned(node=number, parent=0, plan=made),
            failed(number),
            concluded(number, "failed", "failed"),
        ]
    tree = Tree.of(bodies)
    assert exhausted(tree, 0)
    assert POLICIES[name](tree, np.random.default_rng(0)) is None


def test_rules_of_other_tasks_are_shrunk_priors() -> None:
    rules: list[dict[str, Any]] = [
        {"feature": "drop_conflicts(none)", "reward": 0.1, "n": 12},
        {"feature": "drop_conflicts(none)", "reward": 0.1, "n": 4},
        {"feature": "warmup", "reward": 99.0, "n": 4},
        {"feature": "select_by_filter(source <> 'x')", "reward": 0.1, "n": 9},
        {"feature": "log2 rows", "reward": 0.1, "n": 9},
        {"feature": "log2 batch", "reward": float("nan"), "n": 9},
        {"feature": "lora", "reward": "high", "n": 9},
        {"failure": "OOM", "n": 2},
    ]
    found = carried(rules)
    assert found == {"drop_conflicts(none)": 0.04, "warmup": 0.05}
    assert carried([]) == {}


def test_what_names_a_tasks_own_columns_is_not_neutral() -> None:
    assert neutral("log2 rows seen")
    assert neutral("augment_smiles(1)")
    assert not neutral("select_by_filter(format)")


def test_a_memory_shows_every_kind_of_rule() -> None:
    foreign = {"feature": "warmup", "effect": 0.1, "low": 0.0, "high": 0.2, "n": 3, "task": "hoc"}
    text = memory(failing(2), 0, insights=[*insights(failing(2)), foreign])
    assert "nodes 1, 2 failed alike: OOM: needed # GiB" in text
    assert "on the task hoc: warmup: effect +0.1 [+0, +0.2], n=3, not sure" in text
