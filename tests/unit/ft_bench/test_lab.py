from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ft_bench.budget import Budget
from ft_bench.errors import BudgetExhausted, FailureKind, JobFailed, PlanInvalid, UsageError
from ft_bench.job import Job, TrainJob
from ft_bench.lab import BASE, MeteredLab, model_id
from ft_bench.plan import DataRecipe, ExperimentPlan, Operation, Source
from ft_bench.record import Diagnosis, Failed, Settled
from ft_bench.testing.bench import Bench
from ft_bench.testing.cluster import FakeCluster
from ft_bench.testing.records import plan

KEEP_NONE = {"key": "prompt", "answer": "answer", "keep": "none"}
CLEAN = DataRecipe(steps=(Operation(op="drop_conflicts", params=KEEP_NONE),))
EMPTY = DataRecipe(
    steps=(Operation(op="select_by_filter", params={"where": "length(prompt) > 99999"}),)
)


class Room:
    """A Lab that can be left and taken up again."""

    def __init__(self, root: Path) -> None:
        self.bench, self.stack = Bench(root), ExitStack()
        self.cluster = FakeCluster()
        self.budget, self.job_seconds = Budget(iterations=3), 3600.0

    def open(self, cluster: FakeCluster | None = None) -> MeteredLab:
        self.stack.close()
        self.cluster = cluster or FakeCluster()
        return self.stack.enter_context(self.bench.lab(self.cluster, self.budget, self.job_seconds))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path)
    with room.stack:
        yield room


@pytest.fixture
def lab(room: Room) -> MeteredLab:
    return room.open()


def root(lab: MeteredLab, *rates: float) -> int:
    return lab.propose(None, plan(*(rates or (1e-4,))))


def scored(lab: MeteredLab, node: int, variant: int = 0, replica: int = 0) -> str:
    """Build, train and evaluate one variant."""
    recipe, _ = lab.tree.node(node).plan.configurations()[variant]
    model = lab.train(node, variant, lab.build(node, recipe).dataset, replica).model
    lab.evaluate(model)
    return model


def fails(
    kind: FailureKind, *, phase: str = "train", times: int = 99
) -> Callable[[Job], FailureKind | None]:
    """Jobs of a phase fail so many times."""
    left = [times]

    def rule(job: Job) -> FailureKind | None:
        if job.kind != phase or left[0] == 0:
            return None
        left[0] -= 1
        return kind

    return rule


def kinds(lab: MeteredLab) -> list[str]:
    return [body.kind for body in lab.ledger.journal.bodies]


# --- brief and views


def test_the_brief_names_no_test_split(lab: MeteredLab) -> None:
    brief = lab.brief
    assert set(brief.rows) == {"train", "validation"}
    assert str(lab.setting.data.test) not in repr(brief)
    assert str(lab.setting.data.test.parent) not in repr(brief)
    assert brief.workspace.is_dir()
    assert (brief.iterations, brief.max_variants, brief.max_samples) == (3, 5, 50_000)
    assert brief.train.is_file()


def test_remaining_counts_down(lab: MeteredLab) -> None:
    before = lab.remaining()
    scored(lab, root(lab))
    lab.propose(0, plan(2e-4, strategy="adjust_training_scheme"))
    after = lab.remaining()
    assert before.iterations - after.iterations == 1
    assert before.device_seconds - after.device_seconds == 4.0
    assert after.tokens == float("inf")


def test_model_names() -> None:
    assert (model_id(3, 1), model_id(3, 1, 2)) == ("n3v1", "n3v1r2")


# --- propose


def test_the_first_node_is_the_root_and_costs_nothing(lab: MeteredLab) -> None:
    assert root(lab) == 0
    assert lab.remaining().iterations == 3


def test_the_same_plan_is_the_same_node(lab: MeteredLab) -> None:
    assert (root(lab), root(lab), len(lab.tree)) == (0, 0, 1)


def test_no_node_beyond_the_budget(lab: MeteredLab) -> None:
    scored(lab, root(lab))
    for number in range(3):
        lab.propose(0, plan(2e-4 + number * 1e-5, strategy="adjust_training_scheme"))
    with pytest.raises(BudgetExhausted, match=r"A further node needs 1 .*--budget\.iterations"):
        lab.propose(0, plan(9e-4, strategy="adjust_training_scheme"))
    assert kinds(lab).count("planned") == 4


@pytest.mark.parametrize(
    ("parent", "made", "words"),
    [
        (None, plan(3e-4), "the first node has no parent"),
        (7, plan(3e-4), "parent 7 is no node; expected 0 to 0"),
        (0, plan(1e-4, objective="again"), "repeats recipe and variants"),
        (0, plan(3e-4, strategy="refine_data_pipeline"), "may only touch"),
        (0, plan(*(n * 1e-4 for n in range(2, 8))), "6 variants, expected at most 5"),
        (0, plan(3e-4, recipe=DataRecipe(sources=(Source(id="test"),))), "'test' as a source"),
    ],
)
def test_a_plan_that_breaks_a_rule_is_refused(
    lab: MeteredLab, parent: int | None, made: ExperimentPlan, words: str
) -> None:
    scored(lab, root(lab))
    with pytest.raises(PlanInvalid, match=words):
        lab.propose(parent, made)
    assert kinds(lab).count("planned") == 1
    assert lab.remaining().iterations == 3


def test_a_tree_begins_with_its_root(lab: MeteredLab) -> None:
    with pytest.raises(PlanInvalid, match="does not fit a tree of 0 nodes"):
        lab.propose(0, plan())


def test_an_agent_that_plans_otherwise_after_a_restart_gets_other_nodes(room: Room) -> None:
    """Its new node does not inherit what was trained for the one it has forgotten."""
    lab = room.open()
    scored(lab, root(lab))
    first = lab.propose(0, plan(2e-4, strategy="adjust_training_scheme"))
    scored(lab, first)
    lab = room.open()
    scored(lab, root(lab))
    second = lab.propose(0, plan(7e-4, strategy="adjust_training_scheme"))
    assert second != first
    scored(lab, second)
    assert lab.tree.node(second).outcomes[0].variant.lr == 7e-4
    assert room.cluster.trainings == {"002/v0": 1}
    assert lab.ledger.meter.spent.iterations == 2


# --- build


def test_a_dataset_is_built_once_and_audited(room: Room) -> None:
    lab = room.open()
    root(lab)
    built = lab.build(0, CLEAN)
    assert built.overlap[0].split == "validation"
    assert (built.overlap[0].exact, built.overlap[0].rows) == (6, built.rows)
    assert lab.build(0, CLEAN) is built
    assert (lab.paths.root / built.path / "state.json").exists()
    assert not Path(built.path).is_absolute()
    assert kinds(lab).count("built") == 1


def test_a_dataset_that_fails_is_recorded_and_fails_again_the_same(room: Room) -> None:
    lab = room.open()
    root(lab)
    for _ in range(2):
        with pytest.raises(JobFailed, match="left none") as caught:
            lab.build(0, EMPTY)
        assert caught.value.kind == "DATA_EMPTY"
        lab = room.open()
        root(lab)
    assert kinds(lab).count("failed") == 1


def test_a_dataset_over_the_cap_is_refused(room: Room) -> None:
    room.budget = Budget(samples=100)
    lab = room.open()
    root(lab)
    with pytest.raises(JobFailed, match="at most 100 are allowed") as caught:
        lab.build(0, DataRecipe())
    assert caught.value.kind == "POLICY"


@pytest.mark.parametrize("verb", ["build", "train", "conclude"])
def test_a_node_that_is_not_there_is_named(lab: MeteredLab, verb: str) -> None:
    root(lab)
    calls: dict[str, Callable[[], object]] = {
        "build": lambda: lab.build(4, DataRecipe()),
        "train": lambda: lab.train(4, 0, "d"),
        "conclude": lambda: lab.conclude(4, Diagnosis()),
    }
    before = kinds(lab)
    with pytest.raises(UsageError, match="there is no node 4; expected 0 to 0"):
        calls[verb]()
    assert kinds(lab) == before


# --- train


def test_a_training_is_done_once(room: Room) -> None:
    lab = room.open()
    model = scored(lab, root(lab))
    first = lab.ledger.seen(f"trained {model}")
    assert scored(lab, 0) == model
    lab = room.open()
    assert scored(lab, root(lab)) == model
    assert lab.ledger.seen(f"trained {model}") == first
    assert not room.cluster.trainings


def test_seeds_differ_between_variants_and_replicas(lab: MeteredLab) -> None:
    root(lab, 1e-4, 2e-4)
    dataset = lab.build(0, DataRecipe()).dataset
    seeds = {lab.train(0, v, dataset, r).seed for v in range(2) for r in range(3)}
    assert len(seeds) == 6


@pytest.mark.parametrize("variant", [-1, 1])
def test_a_variant_that_is_not_there_is_named(lab: MeteredLab, variant: int) -> None:
    root(lab)
    with pytest.raises(UsageError, match=f"no variant {variant}; expected 0 to 0"):
        lab.train(0, variant, lab.build(0, DataRecipe()).dataset)


def test_a_dataset_of_another_node_is_refused(lab: MeteredLab) -> None:
    scored(lab, root(lab))
    other = lab.propose(0, plan(2e-4, strategy="adjust_training_scheme"))
    dataset = lab.build(0, DataRecipe()).dataset
    with pytest.raises(UsageError, match=r"node 1 has no dataset .* by this recipe"):
        lab.train(other, 0, dataset)


@pytest.mark.parametrize("kind", ["OOM", "DIVERGED", "TIMEOUT"])
def test_a_failed_training_is_recorded_charged_and_not_repeated(
    room: Room, kind: FailureKind
) -> None:
    lab = room.open(FakeCluster(fails=fails(kind)))
    for _ in range(2):
        root(lab)
        with pytest.raises(JobFailed) as caught:
            lab.train(0, 0, lab.build(0, DataRecipe()).dataset)
        assert caught.value.kind == kind
        assert [failure.failure for failure in lab.tree.node(0).failures()] == [kind]
        assert lab.ledger.meter.spent.device_seconds == 2.0
        lab = room.open()
    assert kinds(lab).count("failed") == 1


def test_a_job_over_its_limit_is_a_timeout_and_costs_its_share(room: Room) -> None:
    room.job_seconds = 10.0
    lab = room.open(FakeCluster(seconds=lambda _: 1000.0))
    root(lab)
    with pytest.raises(JobFailed, match=r"TIMEOUT: still running after 9\.5 s"):
        lab.train(0, 0, lab.build(0, DataRecipe()).dataset)
    assert lab.ledger.meter.spent.device_seconds == 9.5


def test_a_job_lost_to_the_machine_is_run_once_more(room: Room) -> None:
    lab = room.open(FakeCluster(fails=fails("INFRA", times=1)))
    scored(lab, root(lab))
    assert room.cluster.trainings == {"000/v0": 2}
    assert lab.ledger.meter.spent.device_seconds == 6.0
    assert "failed" not in kinds(lab)


def test_a_machine_that_fails_twice_is_no_evidence_and_may_be_tried_again(room: Room) -> None:
    lab = room.open(FakeCluster(fails=fails("INFRA")))
    root(lab)
    with pytest.raises(JobFailed, match="INFRA"):
        scored(lab, 0)
    assert "failed" not in kinds(lab)
    lab = room.open()
    scored(lab, root(lab))
    assert lab.tree.value(0) is not None


def test_no_training_begins_without_budget(room: Room) -> None:
    room.budget = Budget(device_seconds=0.5)
    lab = room.open()
    root(lab)
    with pytest.raises(BudgetExhausted, match=r"Training n0v0 needs .*--budget\.device-hours"):
        lab.train(0, 0, lab.build(0, DataRecipe()).dataset)
    assert not room.cluster.trainings
    assert "reserved" not in kinds(lab)


def test_the_budget_ends_in_the_middle(room: Room) -> None:
    """Jobs of 3 seconds on a budget of 9: two end, the third is cut, the fourth is refused."""
    room.budget = Budget(device_seconds=9.0)
    lab = room.open(FakeCluster(seconds=lambda _: 3.0))
    root(lab, 1e-4, 2e-4, 3e-4)
    scored(lab, 0)
    with pytest.raises(JobFailed, match="TIMEOUT"):
        scored(lab, 0, 1)
    with pytest.raises(BudgetExhausted):
        scored(lab, 0, 2)
    assert room.cluster.trainings == {"000/v0": 1, "000/v1": 1}
    assert lab.ledger.meter.spent.device_seconds <= 9.0


# --- evaluate


def test_the_base_is_evaluated_for_free(lab: MeteredLab) -> None:
    assert lab.evaluate(BASE).score == lab.tree.base
    assert lab.ledger.meter.spent.device_seconds == 0


def test_a_model_that_was_not_trained_is_named(lab: MeteredLab) -> None:
    root(lab)
    with pytest.raises(UsageError, match="no trained model 'n0v0'; train it first"):
        lab.evaluate("n0v0")


def test_a_failed_evaluation_is_recorded(room: Room) -> None:
    lab = room.open(FakeCluster(fails=fails("EVAL_ERROR", phase="evaluate")))
    root(lab)
    with pytest.raises(JobFailed, match="EVAL_ERROR"):
        scored(lab, 0)
    failure = next(body for body in lab.ledger.journal.bodies if isinstance(body, Failed))
    assert (failure.phase, failure.variant) == ("evaluate", 0)


def test_a_base_that_cannot_be_evaluated_is_no_node(room: Room) -> None:
    lab = room.open(FakeCluster(fails=fails("EVAL_ERROR", phase="evaluate")))
    with pytest.raises(JobFailed, match="EVAL_ERROR"):
        lab.evaluate(BASE)
    assert "failed" not in kinds(lab)


def test_items_are_those_of_the_split(lab: MeteredLab) -> None:
    lab.evaluate(BASE)
    items = lab.items(BASE)
    assert [item["id"] for item in items] == [f"validation-{n}" for n in range(60)]
    assert sum(item["value"] for item in items) / 60 == lab.evaluate(BASE).score.value


def test_items_of_what_was_not_evaluated_are_refused(lab: MeteredLab) -> None:
    with pytest.raises(UsageError, match="'base' was not evaluated; call evaluate first"):
        lab.items(BASE)


def test_a_good_model_is_probably_better_than_the_base(lab: MeteredLab) -> None:
    lab.evaluate(BASE)
    model = scored(lab, root(lab, 5e-4))
    assert lab.probability_better(model, BASE) > 0.9
    assert lab.probability_better(BASE, model) < 0.1
    assert lab.probability_better(model, model) == 0.5


# --- conclude, submit, agree


@pytest.mark.parametrize("works", [True, False])
def test_a_node_succeeds_if_a_variant_was_scored(lab: MeteredLab, works: bool) -> None:
    root(lab)
    if works:
        scored(lab, 0)
    lab.conclude(0, Diagnosis(text="first"))
    lab.conclude(0, Diagnosis(text="second"))
    node = lab.tree.node(0)
    assert node.status == ("succeeded" if works else "failed")
    assert node.diagnosis is not None
    assert node.diagnosis.text == "first"


def test_the_last_submission_counts(lab: MeteredLab) -> None:
    model = scored(lab, root(lab))
    lab.submit(BASE, "first")
    lab.submit(model, "second")
    assert lab.submitted is not None
    assert (lab.submitted.model, lab.submitted.node, lab.submitted.by) == (model, 0, "agent")


def test_only_a_trained_model_may_be_submitted(lab: MeteredLab) -> None:
    root(lab)
    for name in ("n0v0", "/somewhere/else", "Qwen/Qwen3-235B"):
        with pytest.raises(UsageError, match="no trained model"):
            lab.submit(name, "mine")
    assert lab.submitted is None


def test_a_decision_is_made_once(room: Room) -> None:
    lab, made = room.open(), []

    def make() -> object:
        made.append(1)
        return {"b": (1, 2), "a": {3: "x"}}

    first = lab.agree("k", make)
    assert lab.agree("k", make) == first
    assert room.open().agree("k", make) == first == {"a": {"3": "x"}, "b": [1, 2]}
    assert len(made) == 1


# --- time and threads


def test_work_stops_at_the_wall_clock(room: Room) -> None:
    lab = room.open()
    scored(lab, root(lab))
    dataset = lab.build(0, DataRecipe()).dataset
    room.budget = Budget(wall_seconds=0.0)
    lab = room.open()
    root(lab)
    refused: list[Callable[[], object]] = [
        lambda: lab.propose(0, plan(2e-4, strategy="adjust_training_scheme")),
        lambda: lab.build(0, CLEAN),
        lambda: lab.train(0, 0, dataset, 1),
    ]
    assert lab.build(0, DataRecipe()).dataset == dataset
    for call in refused:
        with pytest.raises(BudgetExhausted, match=r"--budget\.wall"):
            call()
    assert scored(lab, 0) == "n0v0"


def test_variants_train_side_by_side(room: Room) -> None:
    """Each waits in the middle of its training for the other: alone, neither would end."""
    together = threading.Barrier(2, timeout=30)

    def meet(job: Job) -> None:
        if isinstance(job, TrainJob):
            together.wait()

    lab = room.open(FakeCluster(slots=2, midway=meet))
    root(lab, 1e-4, 2e-4)
    dataset = lab.build(0, DataRecipe()).dataset
    threads = [threading.Thread(target=lab.train, args=(0, v, dataset)) for v in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.trained is not None for outcome in lab.tree.node(0).outcomes] == [True, True]
    assert lab.ledger.meter.spent.device_seconds == 4.0
    assert kinds(lab)[-6:].count("reserved") == 2


def test_events_follow_one_order(lab: MeteredLab) -> None:
    lab.evaluate(BASE)
    scored(lab, root(lab))
    lab.conclude(0, Diagnosis())
    assert kinds(lab) == [
        "opened",
        "evaluated",
        "planned",
        "built",
        "reserved",
        "settled",
        "trained",
        "reserved",
        "settled",
        "evaluated",
        "concluded",
    ]
    settled = [body for body in lab.ledger.journal.bodies if isinstance(body, Settled)]
    assert all(not body.orphan for body in settled)


def test_a_recipe_asks_no_model_beside_the_ledger(lab: MeteredLab) -> None:
    node = root(lab)
    params = {"llm": {"model": "m", "base_url": "http://127.0.0.1:9/v1"}, "rubric": "x"}
    recipe = DataRecipe(steps=(Operation(op="score_dataset_with_llm", params=params),))
    with pytest.raises(JobFailed, match=r"POLICY: .*through lab\.call"):
        lab.build(node, recipe)
