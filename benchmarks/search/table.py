"""Table: every training of a landscape, with what each answered on validation.

    python benchmarks/search/table.py DIR [--data-dir DATA]

packs what `make_table.py` left in DIR into `benchmarks/search/<task>.json.gz`; `load` reads it. A
table holds no prompts: of validation the answers alone, so that a score can be recomputed and two
trainings compared item by item.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import sqrt
from pathlib import Path
from statistics import NormalDist
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from landscape import LANDSCAPES, Landscape, Point
from numpy.typing import NDArray

from ft_bench import registry
from ft_bench.digest import digest
from ft_bench.plan import DataRecipe, Operation, Variant
from ft_bench.protocols import Brief, Scorer
from trex_agent.survey import Issue, Survey, survey

__all__ = ["Entry", "Table", "load"]

HERE = Path(__file__).parent
Floats = NDArray[np.float64]
_FIELDS = (
    "point",
    "seed",
    "failure",
    "cause",
    "phase",
    "dataset",
    "rows",
    "steps",
    "samples",
    "tokens",
    "first_loss",
    "last_loss",
    "truncated",
    "build_seconds",
    "train_seconds",
    "evaluate_seconds",
    "validation",
    "test",
)


@dataclass(frozen=True)
class Entry:
    """One training. Seconds are of a processor with one thread; scores are None where it failed.

    `influence` is what each validation item moves the score by, to first order: shape (items,).
    """

    point: Point
    row: Mapping[str, Any]
    influence: Floats | None

    @property
    def score(self) -> float | None:
        """On validation."""
        return self.row.get("validation")

    @property
    def seconds(self) -> float:
        """What it took, from the dataset to the validation score."""
        return float(self.row.get("train_seconds", 0.0) + self.row.get("evaluate_seconds", 0.0))


class Table:
    """All trainings of a task by configuration.

    Args:
        head: task, sizes, survey and the base's scores.
        entries: in the order in which they were trained.
    """

    def __init__(self, head: Mapping[str, Any], entries: Sequence[Entry]) -> None:
        self.head, self.entries = head, entries
        self.landscape: Landscape = LANDSCAPES[head["task"]]
        self.by_point: dict[Point, list[Entry]] = defaultdict(list)
        for entry in entries:
            self.by_point[entry.point].append(entry)

    @cached_property
    def by_key(self) -> dict[str, Point]:
        """Points by the hash of what they train."""
        return {key_of(*self.landscape.configuration(point)): point for point in self.by_point}

    @cached_property
    def survey(self) -> Survey:
        """What is wrong with the pool, as far as the landscape has a remedy for it."""
        open_ = {
            digest(level.operation)
            for slot in self.landscape.slots
            for level in slot.levels
            if level.operation is not None
        }
        issues = []
        for issue in self.head["survey"]["issues"]:
            remedies = tuple(Operation(**item) for item in issue["remedies"])
            kept = tuple(item for item in remedies if digest(item) in open_)
            if kept:
                issues.append(Issue(**{**issue, "remedies": kept}))
        return Survey(self.head["survey"]["rows"], tuple(issues), False, None)

    def probability_better(self, mine: Entry, other: Entry) -> float:
        """P(mine beats other on validation): the paired item bootstrap in its normal limit."""
        if mine.influence is None or other.influence is None:
            raise ValueError("a training that failed cannot be compared")
        delta = cast(float, mine.score) - cast(float, other.score)
        spread = sqrt(float(((mine.influence - other.influence) ** 2).sum()))
        if spread == 0:
            return 0.5
        return NormalDist().cdf(delta / spread)


def key_of(recipe: DataRecipe, scheme: Variant) -> str:
    """What tells configurations apart."""
    return digest([recipe, scheme.scheme()])


def load(task: str, folder: Path = HERE) -> Table:
    """The table of a task."""
    with gzip.open(folder / f"{task}.json.gz", "rt", encoding="utf-8") as stream:
        content = json.load(stream)
    head, rows = content["head"], content["rows"]
    scorer = registry.scorer(task)
    asked = [{"id": str(n), "answer": answer} for n, answer in enumerate(head["answers"])]
    entries = []
    for values in rows:
        row = {k: v for k, v in zip((*_FIELDS, "items"), values, strict=True) if v is not None}
        influence = None
        if "items" in row:
            codes = base64.b85decode(row.pop("items"))
            influence = _influence(scorer, asked, [head["given"][code] for code in codes])
        entries.append(Entry(tuple(row["point"]), row, influence))
    return Table(head, entries)


def _influence(scorer: Scorer, asked: Sequence[Any], answers: Sequence[str]) -> Floats:
    """Derivative of the metric by the weight of each item."""
    statistics = scorer.statistics(asked, scorer.score_items(asked, answers))
    sums = statistics.sum(axis=0)
    steps = np.eye(len(sums)) * max(1e-3, 1e-5 * float(np.abs(sums).max()))
    slope = (scorer.value(sums + steps) - scorer.value(sums - steps)) / (2 * steps.max())
    return cast(Floats, statistics @ slope)


def _pack(task: str, folder: Path, data_dir: Path | None) -> dict[str, Any]:
    from make_table import base_scores, opened

    bench = opened(LANDSCAPES[task], folder, data_dir)
    lines = (folder / f"{task}.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    rows.sort(key=lambda row: (row["seed"], row["point"]))
    names: dict[str, int] = {}
    packed = [[row.get(name) for name in _FIELDS] + [_codes(row, names)] for row in rows]
    brief = SimpleNamespace(train=bench.data.train, validation=bench.data.validation)
    validation = [json.loads(line) for line in bench.data.validation.open(encoding="utf-8")]
    head = {
        "task": task,
        "rows": {split: bench.data.rows[split] for split in ("train", "validation")},
        "base_parameters": bench.base.parameters,
        "base": base_scores(bench),
        "survey": _plain(survey(cast(Brief, brief))),
        "answers": [row["answer"] for row in validation],
        "given": list(names),
    }
    return {"head": head, "rows": packed}


def _codes(row: Mapping[str, Any], names: dict[str, int]) -> str | None:
    """Each item's answer as a byte: its place among all that were ever given."""
    if "predictions" not in row:
        return None
    told = [
        _answer(prediction) if valid == "1" else ""
        for prediction, valid in zip(row["predictions"], row["valid"], strict=True)
    ]
    for name in told:
        names.setdefault(name, len(names))
    return base64.b85encode(bytes(names[name] for name in told)).decode("ascii")


def _answer(prediction: str | list[str]) -> str:
    """The plainest text with this prediction."""
    return prediction if isinstance(prediction, str) else "; ".join(prediction) or "none"


def _plain(found: Survey) -> dict[str, Any]:
    issues = [
        asdict(issue) | {"remedies": [remedy.model_dump() for remedy in issue.remedies]}
        for issue in found.issues
    ]
    return {"rows": found.rows, "issues": issues}


def main() -> None:
    """Pack the table of every task that was tabulated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args()
    for task in LANDSCAPES:
        if not (options.folder / f"{task}.jsonl").exists():
            continue
        content = json.dumps(_pack(task, options.folder, options.data_dir), ensure_ascii=False)
        path = HERE / f"{task}.json.gz"
        path.write_bytes(gzip.compress(content.encode("utf-8"), 9, mtime=0))
        print(f"{path.name}: {len(json.loads(content)['rows'])} trainings, {path.stat().st_size} B")


if __name__ == "__main__":
    main()
