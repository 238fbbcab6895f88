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
from dataclasses import asdict, dataclass, replace
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
Codes = NDArray[np.uint8]
Configuration = tuple[DataRecipe, Variant]
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
class Sheet:
    """What every answer that was ever given is worth: statistics of shape (items, answers, sums).

    `scorer` makes a score of their sums over the items.
    """

    scorer: Scorer
    statistics: Floats

    def of(self, codes: Codes) -> Floats:
        """The statistics of one training, of shape (items, sums), from its answers' numbers."""
        return cast(Floats, self.statistics[np.arange(len(codes)), codes])


@dataclass(frozen=True)
class Entry:
    """One training. Seconds are of a processor with one thread; scores are None where it failed.

    `codes` are the numbers of its answers to the validation items, shape (items,).
    """

    point: Point
    row: Mapping[str, Any]
    sheet: Sheet
    codes: Codes | None

    @property
    def score(self) -> float | None:
        """On validation."""
        return self.row.get("validation")

    def score_with(self, weights: Floats) -> float | None:
        """On validation, where each item counts as often as its weight says: shape (items,)."""
        if self.codes is None:
            return None
        return float(self.sheet.scorer.value(weights @ self.sheet.of(self.codes)))

    @cached_property
    def influence(self) -> Floats | None:
        """What each validation item moves the score by, to first order: shape (items,)."""
        if self.codes is None:
            return None
        statistics, value = self.sheet.of(self.codes), self.sheet.scorer.value
        sums = statistics.sum(axis=0)
        pace = max(1e-3, 1e-5 * float(np.abs(sums).max()))
        steps = np.eye(len(sums)) * pace
        slope = (value(sums + steps) - value(sums - steps)) / (2 * pace)
        return cast(Floats, statistics @ slope)

    @property
    def seconds(self) -> float:
        """What it took, from the dataset to the validation score."""
        return float(self.row.get("train_seconds", 0.0) + self.row.get("evaluate_seconds", 0.0))


class Table:
    """All trainings of a task by configuration.

    Args:
        head: task, sizes, survey and the base's scores.
        entries: in the order in which they were trained.
        landscape: whose points they are.
    """

    def __init__(
        self, head: Mapping[str, Any], entries: Sequence[Entry], landscape: Landscape
    ) -> None:
        self.head, self.entries, self.landscape = head, entries, landscape
        self.by_point: dict[Point, list[Entry]] = defaultdict(list)
        for entry in entries:
            self.by_point[entry.point].append(entry)

    @cached_property
    def by_configuration(self) -> dict[Configuration, Point]:
        """Points by what they train."""
        return {self.landscape.configuration(point): point for point in self.by_point}

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

    def fixed(self, slot: str, level: str) -> Table:
        """The part of the table where a slot is at one level: a smaller space of its own."""
        smaller = self.landscape.fixed(slot, level)
        place = [item.name for item in self.landscape.slots].index(slot)
        at = [item.name for item in self.landscape.slots[place].levels].index(level)
        kept = [
            replace(entry, point=(*entry.point[:place], 0, *entry.point[place + 1 :]))
            for entry in self.entries
            if entry.point[place] == at
        ]
        return Table(self.head, kept, smaller)

    def probability_better(self, mine: Entry, other: Entry, weights: Floats) -> float:
        """P(mine beats other on validation): the paired item bootstrap in its normal limit."""
        if mine.influence is None or other.influence is None:
            raise ValueError("a training that failed cannot be compared")
        delta = cast(float, mine.score_with(weights)) - cast(float, other.score_with(weights))
        spread = sqrt(float(weights @ (mine.influence - other.influence) ** 2))
        if spread == 0:
            return 0.5
        return NormalDist().cdf(delta / spread)


def load(task: str, folder: Path = HERE) -> Table:
    """The table of a task."""
    with gzip.open(folder / f"{task}.json.gz", "rt", encoding="utf-8") as stream:
        content = json.load(stream)
    head, rows = content["head"], content["rows"]
    found = []
    for values in rows:
        row = {k: v for k, v in zip((*_FIELDS, "items"), values, strict=True) if v is not None}
        items = row.pop("items", None)
        codes = None if items is None else np.frombuffer(base64.b85decode(items), np.uint8)
        found.append((row, codes))
    sheet = _sheet(task, head, [codes for _, codes in found if codes is not None])
    entries = [Entry(tuple(row["point"]), row, sheet, codes) for row, codes in found]
    return Table(head, entries, LANDSCAPES[task])


def _sheet(task: str, head: Mapping[str, Any], given: Sequence[Codes]) -> Sheet:
    """Scores every answer that was given to an item, once."""
    scorer = registry.scorer(task)
    pairs = np.unique(np.concatenate([np.arange(len(codes)) * 256 + codes for codes in given]))
    items, codes = pairs // 256, pairs % 256
    asked = [{"id": str(n), "answer": head["answers"][item]} for n, item in enumerate(items)]
    answers = [head["given"][code] for code in codes]
    known = scorer.statistics(asked, scorer.score_items(asked, answers))
    statistics = np.zeros((len(head["answers"]), len(head["given"]), known.shape[1]))
    statistics[items, codes] = known
    return Sheet(scorer, statistics)


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
