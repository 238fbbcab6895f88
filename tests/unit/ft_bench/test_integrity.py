"""Integrity: what voids a gain, on whole runs of the toy task."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from ft_bench.errors import JobFailed
from ft_bench.integrity import FLAGS, is_void, void_gain
from ft_bench.plan import DataRecipe, ExperimentPlan, Source, Variant
from ft_bench.protocols import Lab
from ft_bench.record import Gain, Interval
from ft_bench.store import read_events
from ft_bench.testing.bench import Bench


class _Options(BaseModel):
    pass


class _Copier:
    """Trains on rows that it copied from a split into its workspace."""

    name = "copier"
    Options = _Options
    rows: Path
    count: int = 40

    def __init__(self, options: _Options, backend: object) -> None:
        self.failure = ""

    def run(self, lab: Lab) -> None:
        lines = type(self).rows.read_text("utf-8").splitlines()[: type(self).count]
        kept = [json.loads(line) for line in lines]
        text = "\n".join(json.dumps({"prompt": r["prompt"], "answer": r["answer"]}) for r in kept)
        (lab.brief.workspace / "mine.jsonl").write_text(text + "\n", "utf-8")
        recipe = DataRecipe(sources=(Source(id="train"), Source(id="mine.jsonl")))
        plan = ExperimentPlan(
            strategy="establish_baseline", objective="copy", recipe=recipe, variants=(Variant(),)
        )
        node = lab.propose(None, plan)
        try:
            built = lab.build(node, recipe)
        except JobFailed:
            return
        lab.train(node, 0, built.dataset)
        lab.evaluate("n0v0")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.run(_Idle)
    return made


class _Idle(_Copier):
    name = "idle"

    def run(self, lab: Lab) -> None:
        return


def test_a_model_trained_on_test_rows_has_no_gain_and_a_flag(bench: Bench) -> None:
    class Cheat(_Copier):
        rows = next(bench.homes.private.rglob("test.jsonl"))

    card = bench.run(Cheat)
    assert (card.status, card.flags) == ("integrity", ("test-rows-in-training",))
    assert (card.gain.delta, card.gain.value) == (0.0, 0.0)
    assert card.overlap[-1].leaked == 40
    assert card.test.value > card.base_test.value


def test_a_few_common_rows_are_chance(bench: Bench) -> None:
    class Lucky(_Copier):
        rows = next(bench.homes.private.rglob("test.jsonl"))
        count = 5

    assert bench.run(Lucky).status == "complete"


def test_copied_validation_rows_make_no_dataset(bench: Bench) -> None:
    class Copier(_Copier):
        rows = next(bench.homes.cache.rglob("validation.jsonl"))

    card = bench.run(Copier)
    assert (card.status, card.flags) == ("no_valid_model", ("validation-rows-in-training",))
    kinds = [event.body for event in read_events(bench.paths(card).events)[0]]
    assert [body.failure for body in kinds if body.kind == "failed"] == ["DATA_LEAK"]


def test_a_flag_of_no_known_name_voids_too() -> None:
    assert is_void(["never-heard-of"])
    assert not is_void([name for name, flag in FLAGS.items() if not flag.void])
    assert all(flag.meaning for flag in FLAGS.values())


def test_a_void_gain_keeps_what_it_was_measured_against() -> None:
    some = Interval(low=0.1, high=0.3)
    gain = Gain(value=0.5, ci=some, delta=0.2, delta_ci=some, reference=0.9, base=0.5)
    found = void_gain(gain)
    assert (found.value, found.delta, found.ci, found.base, found.reference) == (
        0.0,
        0.0,
        None,
        0.5,
        0.9,
    )
