"""Baselines on the toy task: what they train, and that they learn where they say they do."""

from __future__ import annotations

from pathlib import Path

import pytest

from ft_bench.budget import Budget
from ft_bench.digest import digest
from ft_bench.errors import PrerequisiteError
from ft_bench.store import read_events
from ft_bench.testing.bench import Bench
from ft_bench.tree import Tree
from ft_bench_baselines import tpe
from ft_bench_baselines.gbfs import Gbfs, Ses
from ft_bench_baselines.random_search import RandomSearch
from ft_bench_baselines.tpe import Tpe, TpeOptions
from trex_agent.agent import Trex


def _tree(bench: Bench, agent: type, **changes: object) -> Tree:
    card = bench.run(agent, **{"budget": Budget(iterations=4), **changes})
    events, _ = read_events(bench.paths(card).events)
    return Tree.of(event.body for event in events)


@pytest.mark.parametrize("agent", [RandomSearch, Tpe])
def test_trainings_are_counted_and_none_is_repeated(agent: type, tmp_path: Path) -> None:
    options = {"trainings": "5", "variants": "2"}
    tree = _tree(Bench(tmp_path), agent, options=options)
    trained = [digest([o.recipe, o.variant.scheme()]) for node in tree for o in node.outcomes]
    assert [len(node.outcomes) for node in tree] == [2, 2, 1]
    assert len(set(trained)) == 5


@pytest.mark.parametrize("agent", [RandomSearch, Tpe])
def test_another_seed_draws_otherwise(agent: type, tmp_path: Path) -> None:
    options = {"trainings": "2", "variants": "2"}
    bench = Bench(tmp_path)
    plans = [_tree(bench, agent, options=options, seed=seed).node(0).plan for seed in (0, 1)]
    assert plans[0] != plans[1]


def test_gbfs_and_ses_are_trex_with_another_policy(tmp_path: Path) -> None:
    for agent, search in ((Gbfs, "gbfs"), (Ses, "ses")):
        options = {"variants": "2", "confirm_top": "0"}
        mine = _tree(Bench(tmp_path / search), agent, options=options)
        theirs = _tree(
            Bench(tmp_path / f"trex-{search}"), Trex, options={**options, "search": search}
        )
        assert mine.digest() == theirs.digest()


def test_the_sampler_of_tpe_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(PrerequisiteError, match=r"ft-bench\[tpe\]"):
        tpe._optuna()
    assert TpeOptions(trainings="7").trainings == 7  # type: ignore[arg-type]
