from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Literal, cast

import numpy as np
import pytest

from ft_bench.digest import derive_seed, digest
from ft_bench.plan import ExperimentPlan, check_plan
from ft_bench.protocols import Brief
from ft_bench.record import Planned
from ft_bench.testing.records import concluded, evaluated, failed, trained
from ft_bench.tree import Tree
from trex_agent.researcher import Researcher, observations
from trex_agent.survey import Survey, survey

Make = Callable[..., Brief]


def _pool() -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """A pool with every fault that a survey looks for, and validation rows."""
    rng = np.random.default_rng(1)
    words = ["film", "plot", "scene", "cast", "music", "camera"]

    def row(n: int, size: int) -> dict[str, str]:
        return {"prompt": " ".join([f"w{n}", *rng.choice(words, size)]), "answer": "yn"[n % 2]}

    clean = [row(n, 3) for n in range(150)]
    asked = [row(n, 9) for n in range(1000, 1040)]
    skewed = [row(n, 3) | {"answer": "y"} for n in range(200, 420)]
    wrong = [item | {"answer": "n"} for item in skewed[:20]]
    rows = [*clean, *skewed, *wrong, *clean[:15], *asked[:4]]
    return [item | {"source": "ab"[n % 2]} for n, item in enumerate(rows)], asked


POOL = _pool()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    """What a survey says of the pool."""
    root = tmp_path_factory.mktemp("pool")
    for name, rows in zip(("train", "validation"), POOL, strict=True):
        lines = [json.dumps({"id": str(n)} | row) for n, row in enumerate(rows)]
        (root / f"{name}.jsonl").write_text("\n".join(lines))
    paths = {name: root / f"{name}.jsonl" for name in ("train", "validation")}
    return survey(cast(Brief, SimpleNamespace(**paths)))


def _grow(
    brief: Brief,
    found: Survey,
    nodes: int,
    direction: Literal["max", "min"] = "max",
    variants: int = 3,
    **options: bool,
) -> tuple[Tree, list[ExperimentPlan]]:
    """A search in which scores and failures are drawn at random; every plan is checked."""
    rng = np.random.default_rng(derive_seed(brief.seed, "outcomes"))
    researcher = Researcher(brief, found, variants, **options)
    tree, made = Tree(direction=direction), [researcher.baseline(3)]
    tree = tree.with_body(evaluated(None, None, 0.5))
    tree = _ran(tree, 0, None, made[0], rng, safe=True)
    for node in range(1, nodes):
        opened = [item.id for item in tree if item.status == "succeeded"]
        parent = int(rng.choice(opened))
        plan = researcher.propose(tree, parent)
        assert plan is not None
        best = tree.node(parent).best(direction)
        assert best is not None
        check_plan(
            plan,
            (best.recipe, best.variant),
            [item.plan.essence() for item in tree],
            brief.max_variants,
        )
        made.append(plan)
        tree = _ran(tree, node, parent, plan, rng)
    return tree, made


def _ran(
    tree: Tree,
    node: int,
    parent: int | None,
    plan: ExperimentPlan,
    rng: np.random.Generator,
    *,
    safe: bool = False,
) -> Tree:
    tree = tree.with_body(Planned(node=node, parent=parent, plan=plan))
    works = [safe or bool(rng.random() < 0.8) for _ in plan.variants]
    for variant, well in enumerate(works):
        if not well:
            tree = tree.with_body(failed(node, variant))
            continue
        tree = tree.with_body(trained(node, variant))
        tree = tree.with_body(evaluated(node, variant, round(float(rng.uniform(0.4, 0.9)), 3)))
    return tree.with_body(concluded(node, "succeeded" if any(works) else "failed"))


@pytest.mark.parametrize("seed", range(8))
def test_plans_are_valid_and_never_repeat_a_configuration(
    brief: Make, found: Survey, seed: int
) -> None:
    told = brief(*POOL, seed=seed, base_parameters=100_000 if seed % 2 else 0)
    tree, made = _grow(told, found, 9, direction="min" if seed % 3 == 2 else "max")
    configurations = [
        digest([outcome.recipe, outcome.variant.scheme()])
        for node in tree
        for outcome in node.outcomes
    ]
    assert len(set(configurations)) == len(configurations)
    assert all(1 <= len(plan.variants) <= 3 for plan in made)


def test_the_same_tree_and_seed_give_the_same_plan_also_after_the_wire(
    brief: Make, found: Survey
) -> None:
    """The plans of a resumed run come from the journal, where keys are sorted."""
    told = brief(*POOL, seed=4)
    tree, _ = _grow(told, found, 7)
    kept = Tree(direction=tree.direction, base=tree.base)
    for node in tree:
        plan = ExperimentPlan.model_validate_json(node.plan.model_dump_json())
        kept = kept.with_body(Planned(node=node.id, parent=node.parent, plan=plan))
        for outcome in node.outcomes:
            body = outcome.failure or outcome.trained
            assert body is not None
            kept = kept.with_body(body)
            if outcome.score is not None:
                kept = kept.with_body(evaluated(node.id, outcome.index, outcome.score.value))
        kept = kept.with_body(concluded(node.id, "succeeded"))
    for parent in (node.id for node in tree if node.best() is not None):
        first, second = (Researcher(told, found, 3).propose(t, parent) for t in (tree, kept))
        assert first is not None
        assert first.model_dump_json() == second.model_dump_json()  # type: ignore[union-attr]


def test_seeds_give_different_searches(brief: Make, found: Survey) -> None:
    plans = set()
    for seed in range(8):
        told = brief(*POOL, seed=seed)
        plans.add(digest(_grow(told, found, 3)[1]))
    assert len(plans) >= 4


def test_the_first_variant_of_a_large_node_is_a_single_change(brief: Make, found: Survey) -> None:
    from ft_bench.plan import changes

    told = brief(*POOL, seed=3)
    tree, _ = _grow(told, found, 8, variants=4)
    singles = 0
    for node in list(tree)[1:]:
        assert node.parent is not None
        best = tree.node(node.parent).best()
        assert best is not None
        first = node.plan.configurations()[0]
        singles += len(changes((best.recipe, best.variant), first)) == 1
    assert singles >= 5


def test_the_baseline_is_a_grid_on_the_raw_pool(brief: Make, found: Survey) -> None:
    told = brief(*POOL)
    made = Researcher(told, found, 3).baseline(4)
    assert made.strategy == "establish_baseline"
    assert made.recipe.steps == ()
    assert len({variant.lr for variant in made.variants}) == 4
    assert made.evidence


def test_a_parent_without_a_score_gives_no_plan(brief: Make, found: Survey) -> None:
    told = brief(*POOL)
    researcher = Researcher(told, found, 3)
    tree = Tree().with_body(Planned(node=0, parent=None, plan=researcher.baseline(1)))
    assert researcher.propose(tree.with_body(failed(0)), 0) is None


def test_without_the_surrogate_what_the_survey_promises_is_tried(
    brief: Make, found: Survey
) -> None:
    told = brief(*POOL, seed=1)
    _, made = _grow(told, found, 4, use_surrogate=False)
    assert {plan.provenance.kind for plan in made} == {"rules"}


def test_every_seed_of_a_configuration_is_an_observation(brief: Make, found: Survey) -> None:
    told = brief(*POOL)
    tree = Tree().with_body(
        Planned(node=0, parent=None, plan=Researcher(told, found, 3).baseline(2))
    )
    for body in (evaluated(0, 0, 0.5), evaluated(0, 0, 0.6, replica=1), failed(0, 1)):
        tree = tree.with_body(body)
    assert [value for _, value in observations(tree)] == [0.5, 0.6]
