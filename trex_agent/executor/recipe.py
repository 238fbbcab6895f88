"""Recipe: the rung that compiles a plan's recipe to datasets; needs no language model.

One pilot variant runs alone; once one has worked, the others run side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from ft_bench.digest import digest
from ft_bench.errors import BudgetExhausted, FtBenchError, JobFailed
from ft_bench.protocols import Lab
from ft_bench.record import Diagnosis, Evaluated
from trex_agent.diagnosis import diagnose

__all__ = ["Look", "Run", "carry_out", "replicate", "run_node", "run_plain", "train_all"]

T = TypeVar("T")
Look = Callable[[Lab, int], Diagnosis]
"""Diagnoses a node that is about to be closed."""
Run = Callable[[Lab, int], None]
"""Carries out a node that was proposed: builds, trains, evaluates; leaves closing it to others."""


def run_node(lab: Lab, node: int) -> None:
    """Build, train and evaluate every variant of a node's plan.

    A variant that has an outcome already is left as it is, and one that fails is recorded by the
    Lab and leaves the others alone.

    Raises:
        BudgetExhausted: after the jobs that were under way have ended.
        JobFailed: only for INFRA, which is no evidence about the plan.
    """
    recipes = lab.tree.node(node).plan.configurations()
    datasets: dict[str, str] = {}
    for recipe, _ in recipes:
        name = digest(recipe)
        built = None if name in datasets else _survive(partial(lab.build, node, recipe))
        if built is not None:
            datasets[name] = built.dataset
    ready = [
        (index, datasets[digest(recipe)])
        for index, (recipe, _) in enumerate(recipes)
        if digest(recipe) in datasets
    ]
    train_all(lab, node, ready)


def run_plain(lab: Lab, node: int) -> None:
    """As `run_node`, without AIDP: a plan that calls an operator is not carried out.

    Raises:
        BudgetExhausted, JobFailed: as `run_node`.
    """
    plan = lab.tree.node(node).plan
    used = sorted({step.op for recipe, _ in plan.configurations() for step in recipe.steps})
    if used:
        lab.give_up(
            node,
            f"the plan calls {', '.join(used)} but AIDP is switched off by -A aidp=false; expected "
            "sources, weights and caps alone",
            "PLAN_INVALID",
        )
        return
    run_node(lab, node)


def train_all(lab: Lab, node: int, ready: Sequence[tuple[int, str]]) -> None:
    """Train and evaluate variants on their datasets, (variant, dataset): a pilot, then the rest.

    Raises:
        BudgetExhausted, JobFailed: as `run_node`.
    """
    works = [_work(lab, node, index, dataset) for index, dataset in ready]
    while works:
        pilot, works = works[0], works[1:]
        if pilot() is not None:
            break
    _together(works, lab.brief.slots)


def carry_out(lab: Lab, node: int, look: Look = diagnose, run: Run = run_node) -> None:
    """Run a node and close it with its diagnosis, also where the budget ends in the middle of it.

    Args:
        lab: the bench.
        node: proposed already.
        look: how the node is diagnosed.
        run: the rung that carries it out.

    Raises:
        BudgetExhausted, JobFailed: as `run_node`; a node cut short by the machine stays open.
    """
    try:
        run(lab, node)
    except BudgetExhausted:
        lab.conclude(node, look(lab, node))
        raise
    lab.conclude(node, look(lab, node))


def replicate(lab: Lab, wanted: Iterable[tuple[int, int, int]]) -> None:
    """Train configurations again under other seeds: (node, variant, replica), side by side."""
    works = []
    for node, variant, replica in wanted:
        outcome = lab.tree.node(node).outcomes[variant]
        if outcome.trained is not None:
            works.append(_work(lab, node, variant, outcome.trained.dataset, replica))
    _together(works, lab.brief.slots)


def _work(
    lab: Lab, node: int, variant: int, dataset: str, replica: int = 0
) -> Callable[[], Evaluated | None]:
    def work() -> Evaluated | None:
        return lab.evaluate(lab.train(node, variant, dataset, replica).model)

    return lambda: _survive(work)


def _survive(work: Callable[[], T]) -> T | None:
    """The answer, or None where the job itself failed, which the Lab has recorded."""
    try:
        return work()
    except JobFailed as failure:
        if failure.kind == "INFRA":
            raise
        return None


def _together(works: list[Callable[[], Evaluated | None]], slots: int) -> None:
    """Run side by side; every work ends before the first refusal is raised."""
    if not works:
        return
    refusals: list[FtBenchError] = []

    def guarded(work: Callable[[], Evaluated | None]) -> None:
        if refusals:
            return
        try:
            work()
        except (BudgetExhausted, JobFailed) as refusal:
            refusals.append(refusal)

    if slots == 1:
        for work in works:
            guarded(work)
    else:
        with ThreadPoolExecutor(max_workers=slots) as pool:
            for future in [pool.submit(guarded, work) for work in works]:
                future.result()
    if refusals:
        raise refusals[0]
