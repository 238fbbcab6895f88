"""Records made by hand: what a run would have written, each field with a plain default."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

from ft_bench.digest import digest
from ft_bench.plan import DataRecipe, ExperimentPlan, Operation, Variant
from ft_bench.record import (
    Built,
    Card,
    Concluded,
    Diagnosis,
    Evaluated,
    Event,
    Failed,
    Finding,
    Gain,
    Interval,
    Opened,
    Overlap,
    Planned,
    RunManifest,
    Score,
    Selected,
    Settled,
    Tested,
    Trained,
    Usage,
)
from ft_bench.store import Journal, RunPaths

HOSTILE = "</script><script>alert(1)</script>\x1b[31m<img src=x onerror=alert(2)>"
CHINESE = "法律数据清洗：去除重复并平衡各类别的样本"


def a_score(
    value: float, half: float = 0.03, *, split: Any = "validation", samples: str = "", n: int = 300
) -> Score:
    return Score(
        metric="macro_f1",
        value=value,
        ci=Interval(low=value - half, high=value + half, method="bootstrap"),
        n=n,
        invalid=2,
        split=split,
        parser="strict",
        samples=samples,
        profile="engine-1/float32/bs64",
    )


def a_gain(delta: float = 0.7, half: float = 0.03, **fields: Any) -> Gain:
    given: dict[str, Any] = {
        "value": None,
        "ci": None,
        "delta": delta,
        "delta_ci": Interval(low=delta - half, high=delta + half, method="paired bootstrap"),
        "reference": None,
        "base": 0.004,
    }
    return Gain(**(given | fields))


def a_card(**fields: Any) -> Card:
    """The card of a run on `mini`; `value` and `half` set the test score and its gain."""
    value, half = fields.pop("value", 0.71), fields.pop("half", 0.03)
    given: dict[str, Any] = {
        "task": "mini",
        "task_version": "1",
        "scorer_version": "1",
        "parser": "strict",
        "agent": "trex",
        "backend": "offline",
        "seed": 0,
        "base_model": "scratch/tiny",
        "status": "complete",
        "metric": "macro_f1",
        "direction": "max",
        "validation": a_score(0.72),
        "test": a_score(value, half, split="test"),
        "base_test": a_score(0.004, 0.002, split="test"),
        "base_validation": a_score(0.005, 0.002),
        "gain": a_gain(value - 0.004, half),
        "selected_node": 2,
        "selected_variant": 1,
        "selected_on": "agent",
        "selected_recipe": a_recipe(),
        "n_test_evaluations": 1,
        "nodes": 5,
        "nodes_failed": 1,
        "trainings": 14,
        "usage": Usage(iterations=4, device_seconds=3725.0, wall_seconds=4000.0),
        "budget": {"iterations": 4, "device_seconds": 7200.0, "usd": None},
        "stop_reason": "the agent ended",
        "overlap": (Overlap(split="validation", rows=1000),),
        "hardware_class": "cpu-2",
        "profile": "engine-1/float32/bs64",
    }
    given |= fields
    name = f"{given['task']}--{given['agent']}@{given['backend']}--s{given['seed']}--abcd1234"
    return Card(**({"run_id": name} | given))


def a_recipe(*operators: str, max_samples: int | None = 1000) -> DataRecipe:
    return DataRecipe(
        steps=tuple(Operation(op=name, params={"column": "prompt"}) for name in operators),
        max_samples=max_samples,
    )


def a_plan(objective: str = "Set the baseline", **fields: Any) -> ExperimentPlan:
    given: dict[str, Any] = {
        "strategy": "establish_baseline",
        "objective": objective,
        "recipe": a_recipe(),
        "variants": (Variant(lr=1e-3), Variant(lr=3e-4)),
    }
    return ExperimentPlan(**(given | fields))


def planned(node: int, parent: int | None, plan: ExperimentPlan | None = None) -> Planned:
    return Planned(node=node, parent=parent, plan=plan or a_plan(f"Try number {node}"))


def built(node: int, recipe: DataRecipe | None = None) -> Built:
    recipe = recipe or a_recipe()
    accounts = [
        {
            "operator": operation.op,
            "rows_in": 1200,
            "rows_out": 1100,
            "rows_added": 0,
            "reasons": {"duplicate": 100},
        }
        for operation in recipe.steps
    ]
    rows = 1100 if accounts else 1200
    return Built(
        node=node,
        recipe=recipe,
        dataset=digest(recipe),
        rows=1000,
        rows_read=1200,
        path=f"artefacts/datasets/{digest(recipe)[:24]}",
        lineage={
            "sources": [{"id": "train", "rows": 1200, "rows_used": 1200}],
            "steps": accounts,
            "rows_over_max_samples": rows - 1000,
            "rows": 1000,
        },
        overlap=(Overlap(split="validation", exact=3, ngram13=4, rows=1000),),
        seconds=1.5,
    )


def trained(node: int, variant: int, replica: int = 0) -> Trained:
    return Trained(
        model=f"n{node}v{variant}" + (f"r{replica}" if replica else ""),
        node=node,
        variant=variant,
        replica=replica,
        dataset=digest(a_recipe()),
        path=f"nodes/{node:03d}/v{variant}",
        seed=7,
        device_seconds=12.0,
        samples=1000,
        tokens=20_000,
        steps=32,
        train_loss=2.5,
        final_loss=0.4,
    )


def evaluated(
    node: int | None, variant: int | None, value: float, replica: int = 0, samples: str = ""
) -> Evaluated:
    model = "base" if node is None else f"n{node}v{variant}" + (f"r{replica}" if replica else "")
    return Evaluated(
        model=model,
        node=node,
        variant=variant,
        replica=replica,
        score=a_score(value, samples=samples),
        device_seconds=3.0,
    )


def failed(node: int, variant: int | None, cause: str = "the loss became NaN") -> Failed:
    return Failed(node=node, variant=variant, phase="train", failure="DIVERGED", cause=cause)


def concluded(node: int, verdict: Any = "new best", text: str = "It helped.") -> Concluded:
    finding = Finding(name="invalid format", share=0.2, text="20% of the outputs hold no answer")
    return Concluded(
        node=node,
        status="failed" if verdict == "failed" else "succeeded",
        diagnosis=Diagnosis(
            fixed=30,
            broken=4,
            still_wrong=50,
            probability_better=0.97,
            verdict=verdict,
            findings=(finding,),
            text=text,
        ),
    )


def a_run() -> list[Any]:
    """Four nodes: the baseline, a better child, its failed child, and a tie beside it."""
    clean = a_recipe("deduplicate_by_text_hash")
    data = a_plan(
        "Drop duplicates", strategy="refine_data_pipeline", recipe=clean, variants=(Variant(),)
    )
    scheme = a_plan("Train longer", strategy="adjust_training_scheme", variants=(Variant(lr=9.0),))
    other = a_plan(CHINESE, strategy="construct_synthetic_data", variants=(Variant(lr=2e-3),))
    return [
        Opened(attempt=1, pid=1),
        evaluated(None, None, 0.004),
        planned(0, None),
        built(0),
        trained(0, 0),
        evaluated(0, 0, 0.5),
        failed(0, 1),
        concluded(0, "baseline"),
        planned(1, 0, data),
        built(1, clean),
        trained(1, 0),
        evaluated(1, 0, 0.6),
        concluded(1),
        planned(2, 1, scheme),
        failed(2, 0, "out of memory"),
        concluded(2, "failed"),
        planned(3, 0, other),
        evaluated(3, 0, 0.55),
        concluded(3, "tie"),
        evaluated(1, 0, 0.59, replica=1),
        evaluated(1, 0, 0.61, replica=2),
        Selected(model="n1v0", node=1, variant=0, by="agent", reason="best mean"),
        Tested(
            model="n1v0",
            score=a_score(0.58, split="test"),
            base=a_score(0.004, 0.002, split="test"),
            device_seconds=6.0,
        ),
    ]


def spent(name: str, device_seconds: float) -> Settled:
    return Settled(reservation=name, used=Usage(device_seconds=device_seconds))


def a_manifest(**fields: Any) -> RunManifest:
    given: dict[str, Any] = {
        "run_id": "mini--trex@offline--s0--abcd1234",
        "digest": "abcd1234" * 8,
        "task": "mini",
        "task_version": "1",
        "scorer_version": "1",
        "agent": "trex",
        "backend": "offline",
        "seed": 0,
        "base_model": "scratch/tiny",
        "base_digest": "b" * 64,
        "data_digest": "d" * 64,
        "options": {"search": "mcts"},
        "budget": {"iterations": 3},
        "versions": {"python": "3.11.2", "torch": "2.8"},
        "created": "2026-11-22T08:00:00Z",
    }
    return RunManifest(**(given | fields))


def write_run(root: Path, bodies: list[Any], card: Card | None = None, **fields: Any) -> RunPaths:
    """A run directory as the runner leaves it, from bodies; not waiting for the disk."""
    paths = RunPaths(root)
    journal = Journal(paths)
    with patch("ft_bench.store.os.fsync"):
        for body in bodies:
            journal.append(body)
    journal.close()
    paths.manifest.write_text(a_manifest(**fields).model_dump_json(), encoding="utf-8")
    if card is not None:
        paths.card.write_text(card.model_dump_json(), encoding="utf-8")
    return paths


def an_event(body: Any, seq: int = 0, time: float = 0.0) -> Event:
    return Event(seq=seq, time=time, body=body, prev="0" * 64)
