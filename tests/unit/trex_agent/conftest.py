"""A brief with hand-made rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ft_bench.protocols import Brief
from ft_bench.task import Metric

Rows = Sequence[dict[str, Any]]


@pytest.fixture
def brief(tmp_path: Path) -> Callable[..., Brief]:
    """A brief of the given training and validation rows."""

    def make(train: Rows, validation: Rows, seed: int = 0, **changes: Any) -> Brief:
        for name, rows in (("train", train), ("validation", validation)):
            lines = [json.dumps({"id": f"{name}-{n}", **row}) for n, row in enumerate(rows)]
            (tmp_path / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines))
        fields: dict[str, Any] = {
            "task": "made_up",
            "text": "",
            "metric": Metric(name="accuracy", kind="proportion"),
            "train": tmp_path / "train.jsonl",
            "validation": tmp_path / "validation.jsonl",
            "rows": {"train": len(train), "validation": len(validation)},
            "base_model": "b",
            "base_parameters": 0,
            "workspace": tmp_path,
            "seed": seed,
            "slots": 1,
            "max_samples": 50_000,
            "max_variants": 5,
            "iterations": 3,
            **changes,
        }
        return Brief(**fields)

    return make
