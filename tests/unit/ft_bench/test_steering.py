"""Steering: what a person asks of a run, at the Lab and over whole runs of TREX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from ft_bench.budget import Budget
from ft_bench.control import MOST_NOTES, add_note, append_order, read_notes, read_orders
from ft_bench.errors import PlanInvalid, PlanRefused
from ft_bench.lab import MeteredLab
from ft_bench.plan import DataRecipe, ExperimentPlan, Operation
from ft_bench.protocols import Answer
from ft_bench.record import Card, Concluded, Diagnosis, Event, Order, Planned, Refused, Steered
from ft_bench.runner import run
from ft_bench.steering import Steering
from ft_bench.store import RunPaths, read_events
from ft_bench.testing.bench import Bench
from ft_bench.testing.cluster import FakeCluster, Killed
from ft_bench.testing.records import plan
from ft_bench.tree import Tree
from trex_agent.agent import Trex

Verb = Literal["pin", "unpin", "close", "reopen", "ban", "unban"]
CLEAN = DataRecipe(
    steps=(
        Operation(
            op="drop_conflicts", params={"key": "prompt", "answer": "answer", "keep": "none"}
        ),
    )
)
QUICK = {"variants": "2", "root_variants": "2", "confirm_top": "0"}


def steered(*orders: Order, notes: str | None = None, lines: int = 0) -> Steered:
    return Steered(at=0, lines=lines, orders=orders, notes=notes)


def test_wishes_fold_in_order() -> None:
    found = Steering().after(
        steered(
            Order(verb="close", node=1),
            Order(verb="pin", node=2),
            Order(verb="ban", name="augment_smiles"),
            Order(verb="ban", node=3),
            notes="look at ethers",
            lines=4,
        )
    )
    assert (found.closed, found.pinned, found.lines) == ({1}, {2}, 4)
    assert (found.banned, found.banned_nodes) == ({"augment_smiles"}, {3})
    assert found.words() == [
        "pinned: 2",
        "closed: 1",
        "banned: augment_smiles, recipes of node 3",
        "notes: look at ethers",
    ]
    back = found.after(
        steered(
            Order(verb="pin", node=1),
            Order(verb="close", node=2),
            Order(verb="unban", name="augment_smiles"),
            Order(verb="unban", node=3),
        )
    )
    assert (back.closed, back.pinned, back.banned, back.banned_nodes) == ({2}, {1}, set(), set())
    assert back.notes == "look at ethers"
    last = back.after(steered(Order(verb="reopen", node=2), Order(verb="unpin", node=1), notes=""))
    assert last.words() == []


def test_control_files_survive_hands(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path)
    assert read_orders(paths, 0) == ((), 0)
    assert read_notes(paths) == ""
    append_order(paths, Order(verb="pin", node=1))
    with paths.control.open("a") as stream:
        stream.write("not an order\n" + '{"verb":"explode"}\n')
    append_order(paths, Order(verb="ban", name="x"))
    with paths.control.open("a") as stream:
        stream.write('{"verb":"pin","no')
    assert read_orders(paths, 0) == ((Order(verb="pin", node=1), Order(verb="ban", name="x")), 4)
    assert read_orders(paths, 1) == ((Order(verb="ban", name="x"),), 4)
    assert read_orders(paths, 9) == ((), 9)
    add_note(paths, "first\x1b[31m")
    add_note(paths, "second " + "x" * 2 * MOST_NOTES)
    text = read_notes(paths)
    assert text.startswith("first[31m\nsecond")
    assert len(text) <= MOST_NOTES


@contextmanager
def open_lab(root: Path, approve: Any = None) -> Any:
    with Bench(root).lab(FakeCluster(), Budget(iterations=5)) as lab:
        lab._approve = approve
        yield lab


def closed_root(lab: MeteredLab) -> int:
    node = lab.propose(None, plan(1e-4, 2e-4))
    dataset = lab.build(node, DataRecipe()).dataset
    lab.evaluate(lab.train(node, 0, dataset).model)
    lab.conclude(node, Diagnosis())
    return node


def refined(objective: str, recipe: DataRecipe = CLEAN) -> ExperimentPlan:
    return plan(1e-4, strategy="refine_data_pipeline", objective=objective, recipe=recipe)


def test_orders_are_taken_in_once_and_journalled(tmp_path: Path) -> None:
    with open_lab(tmp_path) as lab:
        closed_root(lab)
        assert lab.steering() == Steering()
        append_order(lab.paths, Order(verb="close", node=0))
        add_note(lab.paths, "mind the ethers")
        assert lab.steering().closed == {0}
        lab.steering()
        taken = [body for body in lab.ledger.journal.bodies if isinstance(body, Steered)]
        assert [(body.at, body.lines, body.notes) for body in taken] == [(1, 1, "mind the ethers")]


def test_what_was_decided_before_a_restart_is_not_steered_anew(tmp_path: Path) -> None:
    with open_lab(tmp_path) as lab:
        closed_root(lab)
        lab.steering()
        lab.propose(0, refined("clean"))
    with open_lab(tmp_path) as lab:
        append_order(lab.paths, Order(verb="close", node=0))
        closed_root(lab)
        assert lab.steering() == Steering()
        lab.propose(0, refined("clean"))
        assert lab.steering().closed == {0}


@pytest.mark.parametrize(
    "order",
    [
        Order(verb="ban", name="drop_conflicts"),
        Order(verb="ban", name="recipe.drop_conflicts"),
        Order(verb="ban", node=1),
    ],
)
def test_a_ban_is_kept_by_the_lab(tmp_path: Path, order: Order) -> None:
    with open_lab(tmp_path) as lab:
        closed_root(lab)
        lab.propose(0, refined("clean"))
        append_order(lab.paths, order)
        lab.steering()
        other = plan(3e-4, strategy="establish_baseline", objective="again", recipe=CLEAN)
        with pytest.raises(PlanInvalid, match="a person has banned"):
            lab.propose(0, other)


def test_a_refusal_is_journalled_and_stands_after_a_restart(tmp_path: Path) -> None:
    asked: list[str] = []

    def no(tree: Tree, parent: int, plan: ExperimentPlan) -> Answer:
        asked.append(plan.objective)
        return Answer(yes=False, reason="too dear", note="cheaper, please")

    with open_lab(tmp_path, no) as lab:
        closed_root(lab)
        with pytest.raises(PlanRefused, match="too dear"):
            lab.propose(0, refined("clean"))
        assert lab.tree.refused[0].reason == "too dear"
        assert lab.steering().notes == "cheaper, please"
        assert len(lab.tree) == 1
    with open_lab(tmp_path, no) as lab:
        closed_root(lab)
        with pytest.raises(PlanRefused, match="already"):
            lab.propose(0, refined("clean"))
        assert asked == ["clean"]
        assert lab.steering().notes == "cheaper, please"


def when(number: int, act: Callable[[], None]) -> Callable[[Event], None]:
    """Acts once a node of that number is closed."""

    def watch(event: Event) -> None:
        if isinstance(event.body, Concluded) and event.body.node == number:
            act()

    return watch


def whole(bench: Bench, watch: Any = lambda _: None, cluster: Any = None, **more: Any) -> Card:
    return bench.run(Trex, cluster, watch, options=QUICK, budget=Budget(iterations=4), **more)


def folder(bench: Bench) -> RunPaths:
    (found,) = bench.homes.runs.iterdir()
    return RunPaths(found)


def plans(bench: Bench) -> list[Planned]:
    events, _ = read_events(folder(bench).events)
    return [event.body for event in events if isinstance(event.body, Planned)]


def give(bench: Bench, orders: Sequence[Order]) -> None:
    for order in orders:
        append_order(folder(bench), order)


def order_at(bench: Bench, number: int, *orders: Order) -> Callable[[Event], None]:
    return when(number, lambda: give(bench, orders))


def test_a_closed_node_gets_no_further_child(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    whole(bench, order_at(bench, 1, Order(verb="close", node=0), Order(verb="close", node=1)))
    assert [body.parent for body in plans(bench)] == [None, 0]


def test_a_pinned_node_is_refined_before_all_others(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    whole(bench, order_at(bench, 1, Order(verb="pin", node=1)))
    assert [body.parent for body in plans(bench)] == [None, 0, 1, 1, 1]


def test_a_banned_operator_and_field_do_not_come_again(tmp_path: Path) -> None:
    free, tied = Bench(tmp_path / "free"), Bench(tmp_path / "tied")
    whole(free)
    used = {
        s.op for b in plans(free) for recipe, _ in b.plan.configurations() for s in recipe.steps
    }
    assert used
    bans = [Order(verb="ban", name=name) for name in (*sorted(used), "variant.lr")]
    whole(tied, order_at(tied, 0, *bans))
    first, *later = plans(tied)
    rates = {variant.lr for variant in first.plan.variants}
    for body in later:
        for recipe, variant in body.plan.configurations():
            assert not {step.op for step in recipe.steps} & used
            assert variant.lr in rates


def test_notes_stand_in_the_evidence_of_later_plans(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    whole(bench, when(0, lambda: add_note(folder(bench), "the ethers\nmatter")))
    first, second, *_ = plans(bench)
    assert "a person notes: the ethers matter" in second.plan.evidence
    assert not any("notes" in text for text in first.plan.evidence)


def test_a_steered_run_that_is_killed_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    def steer(bench: Bench) -> Callable[[Event], None]:
        orders = (Order(verb="close", node=0), Order(verb="ban", name="variant.lr"))
        return order_at(bench, 1, *orders)

    calm, rough = Bench(tmp_path / "calm"), Bench(tmp_path / "rough")
    undisturbed = whole(calm, steer(calm))

    def midway(job: Any) -> None:
        if job.kind == "train" and "/nodes/003/" in job.out:
            raise Killed

    with pytest.raises(Killed):
        whole(rough, steer(rough), FakeCluster(midway=midway))
    append_order(folder(rough), Order(verb="ban", name="not_in_use"))
    card = whole(rough)
    assert card.tree_digest == undisturbed.tree_digest
    assert card.nodes == undisturbed.nodes == 5


def test_after_a_no_the_next_proposal_differs(tmp_path: Path) -> None:
    bench, seen = Bench(tmp_path), []

    def once(tree: Tree, parent: int, plan: ExperimentPlan) -> Answer:
        seen.append(plan)
        return Answer(yes=len(seen) != 1)

    request = replace(bench.request("trex", options=QUICK), budget=Budget(iterations=2))
    with bench.open(Trex, FakeCluster()):
        card = run(request, approve=once)
    assert card.nodes == 3
    assert len(seen) == 3
    refused, *others = seen
    banned = {str(pair) for pair in refused.configurations()}
    assert all(str(pair) not in banned for other in others for pair in other.configurations())
    events, _ = read_events(folder(bench).events)
    assert sum(isinstance(event.body, Refused) for event in events) == 1
