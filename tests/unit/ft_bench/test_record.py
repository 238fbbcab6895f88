from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from ft_bench import record
from ft_bench.budget import Budget
from ft_bench.digest import canonical_json
from ft_bench.job import EvaluateJob, JobOutcome, TrainJob
from ft_bench.plan import ExperimentPlan
from ft_bench.record import (
    SCHEMA_VERSION,
    Agreed,
    Body,
    Built,
    Called,
    Card,
    Event,
    Gain,
    Interval,
    Opened,
    Overlap,
    Planned,
    Reserved,
    RunManifest,
    Selected,
    Settled,
    Usage,
)
from ft_bench.task import TaskSpec
from ft_bench.testing.records import concluded, evaluated, failed, plan, score, trained

SCHEMAS = Path(__file__).parents[2] / "data" / "schemas"
MODELS: dict[str, type[BaseModel]] = {
    "event": Event,
    "card": Card,
    "run": RunManifest,
    "plan": ExperimentPlan,
    "task": TaskSpec,
    "budget": Budget,
    "train_job": TrainJob,
    "evaluate_job": EvaluateJob,
    "job_outcome": JobOutcome,
}


def _shape(schema: Any) -> Any:
    """A schema without its prose, so that a better sentence is no change of the wire."""
    if isinstance(schema, dict):
        return {
            name: _shape(value)
            for name, value in schema.items()
            if not (name in ("description", "title") and isinstance(value, str))
        }
    return [_shape(item) for item in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize("name", MODELS)
def test_the_wire_is_as_published(name: str) -> None:
    """Where this fails, the wire changed: raise SCHEMA_VERSION if old files no longer read.

    `python tests/unit/ft_bench/test_record.py` writes the schemas anew.
    """
    published = json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))
    assert _shape(MODELS[name].model_json_schema()) == published


BODIES: list[BaseModel] = [
    Opened(attempt=1, pid=7),
    Planned(node=0, parent=None, plan=plan(1e-4, 3e-4)),
    Built(
        node=0,
        recipe=plan().recipe,
        dataset="d",
        rows=3,
        rows_read=4,
        path="p",
        lineage={"steps": [{"op": "x", "kept": 3}]},
        overlap=(Overlap(split="validation", exact=1),),
    ),
    Reserved(reservation="a#1", amount=Usage(device_seconds=1.5), purpose="x"),
    Settled(reservation="a#1", used=Usage(device_seconds=0.1), orphan=True),
    trained(0, 1, 2),
    Called(key="k", value={"a": [1, None]}, used=Usage(tokens=3, usd=0.1 + 0.2), reservation="k#2"),
    evaluated(0, 1, 0.1 + 0.2),
    evaluated(None, None, 0.5),
    failed(0, 1),
    concluded(0),
    Agreed(key="k", value={"a": [1, None, "ü"]}),
    record.Steered(at=1, lines=2, orders=(record.Order(verb="ban", name="x"),), notes="look"),
    record.Refused(parent=0, plan=plan(1e-4), reason="too dear"),
    record.Flagged(name="other-model", detail="x"),
    Selected(model="base", node=None, variant=None, by="base", reason="nothing"),
    record.Tested(model="base", score=score(0.5), base=score(0.5), device_seconds=1.0),
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.kind)
def test_every_event_reads_back(body: BaseModel) -> None:
    event = Event(seq=3, time=1.25, body=body, prev="0" * 64, hash="f" * 64)
    again = Event.model_validate_json(canonical_json(event))
    assert again == event
    assert canonical_json(again) == canonical_json(event)
    assert again.schema_version == SCHEMA_VERSION


def test_every_kind_of_body_is_tried() -> None:
    kinds = {entry["properties"]["kind"]["const"] for entry in _definitions() if _has_kind(entry)}
    assert {body.kind for body in BODIES} == kinds  # type: ignore[attr-defined]


def _definitions() -> list[dict[str, Any]]:
    return list(TypeAdapter(Body).json_schema()["$defs"].values())


def _has_kind(entry: dict[str, Any]) -> bool:
    return "const" in entry.get("properties", {}).get("kind", {})


def test_unknown_fields_and_kinds_are_refused() -> None:
    with pytest.raises(ValidationError):
        Opened(attempt=1, pid=1, host="x")  # type: ignore[call-arg]
    line = '{"seq":0,"time":0,"prev":"","body":{"kind":"rewarded","amount":1}}'
    with pytest.raises(ValidationError, match="rewarded"):
        Event.model_validate_json(line)


def test_usage_adds_field_by_field() -> None:
    a = Usage(iterations=1, device_seconds=2.0, wall_seconds=3.0, tokens=4, usd=5.0)
    assert a.plus(a) == Usage(
        iterations=2, device_seconds=4.0, wall_seconds=6.0, tokens=8, usd=10.0
    )
    assert Usage().plus(a) == a


def test_a_gain_without_reference_is_none_on_the_wire() -> None:
    gain = Gain(
        value=None,
        ci=None,
        delta=0.1,
        delta_ci=Interval(low=0.0, high=0.2),
        reference=None,
        base=0.5,
    )
    assert Gain.model_validate_json(gain.model_dump_json()) == gain


if __name__ == "__main__":
    SCHEMAS.mkdir(parents=True, exist_ok=True)
    for stem, model in MODELS.items():
        text = json.dumps(_shape(model.model_json_schema()), indent=1, sort_keys=True)
        (SCHEMAS / f"{stem}.json").write_text(text + "\n", encoding="utf-8")
