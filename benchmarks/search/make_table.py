"""Tabulates a landscape: trains and scores every point by the project's own code.

    python benchmarks/search/make_table.py mini --out DIR
    python benchmarks/search/make_table.py sst2 --out DIR --data-dir DATA

One line of `DIR/<task>.jsonl` a training; a point that is there already is not trained again, so
the script resumes where it was stopped. One process, one thread; datasets are built by AIDP,
models trained and evaluated by the worker, as in a run. The second seed of a part of the points
comes after the first of all.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landscape import LANDSCAPES, Landscape, Point

from ft_bench import registry
from ft_bench.base import Base, resolve_base
from ft_bench.dataset import Datasets, Made
from ft_bench.digest import derive_seed
from ft_bench.errors import JobFailed
from ft_bench.job import EvaluateJob, JobOutcome, ModelRef, TrainJob
from ft_bench.outcome import read_items, read_samples
from ft_bench.plan import Variant
from ft_bench.prepare import Prepared, prepare, read_rows

_CAP = 50_000
_BATCH = 256
_SECOND_SEEDS = 4
"""One point in so many is trained under a second seed."""


@dataclass(frozen=True)
class Bench:
    """Where trainings of one task are done."""

    landscape: Landscape
    data: Prepared
    base: Base
    datasets: Datasets
    work: Path

    def train(self, made: Made, scheme: Variant, seed: int) -> JobOutcome:
        """Train as a run does: work is set in rows seen."""
        epochs = min(1000.0, (scheme.samples or 1) / made.rows)
        job = TrainJob(
            init=self.base.ref,
            dataset=str(made.path),
            dataset_hash=made.dataset,
            variant=scheme.model_copy(update={"epochs": epochs, "samples": None}),
            seed=seed,
            out=str(self.work / "job"),
            token_cache=str(self.work / "tokens"),
        )
        return run(job)

    def evaluate(self, model: ModelRef, split: str) -> tuple[dict[str, Any], JobOutcome]:
        """Score a model on a split: value, and for validation what each item was answered."""
        spec = self.data.spec
        path = self.data.validation if split == "validation" else self.data.test
        out = self.work / "job" / split
        job = EvaluateJob(
            model=model,
            rows=str(path),
            split=split,  # type: ignore[arg-type]
            scorer=spec.scorer,
            parser=spec.parser,
            max_new_tokens=spec.generation.max_new_tokens,
            out=str(out),
            batch_size=_BATCH,
        )
        outcome = run(job)
        if outcome.failure is not None:
            return {}, outcome
        samples = out / "samples.jsonl"
        rows, scorer = list(read_rows(path)), registry.scorer(spec.scorer)
        sums = scorer.statistics(rows, read_items(samples)).sum(axis=0)
        found: dict[str, Any] = {split: float(scorer.value(sums))}
        if split == "validation":
            lines = read_samples(samples)
            found["predictions"] = [line["prediction"] for line in lines]
            found["valid"] = "".join("01"[line["valid"]] for line in lines)
        return found, outcome


def run(job: TrainJob | EvaluateJob) -> JobOutcome:
    """One job in this process."""
    shutil.rmtree(job.out, ignore_errors=True)
    Path(job.out).mkdir(parents=True)
    outcome: JobOutcome = registry.load("backends", "worker")(job)
    return outcome


def row_of(bench: Bench, point: Point, seed: int) -> dict[str, Any]:
    """Train and score one point: a line of the table. A failure is a line as well."""
    recipe, scheme = bench.landscape.configuration(point)
    row: dict[str, Any] = {"point": list(point), "seed": seed}
    clock = time.process_time()
    try:
        made = bench.datasets.build(recipe, _CAP)
    except JobFailed as failure:
        return row | {"phase": "build", "failure": failure.kind, "cause": failure.cause}
    row |= {"dataset": made.dataset[:16], "rows": made.rows}
    row["build_seconds"] = round(time.process_time() - clock, 3)
    clock = time.process_time()
    names = ", ".join(level.name for level in bench.landscape.levels(point))
    outcome = bench.train(
        made, scheme, derive_seed("laboratory", bench.landscape.task, names, seed)
    )
    row["train_seconds"] = round(time.process_time() - clock, 3)
    if outcome.failure is not None or outcome.training is None:
        return row | {"phase": "train", "failure": outcome.failure, "cause": outcome.cause}
    training = outcome.training
    row |= training.model_dump(exclude={"model"})
    clock = time.process_time()
    found, ended = bench.evaluate(training.model, "validation")
    row["evaluate_seconds"] = round(time.process_time() - clock, 3)
    if ended.failure is None:
        row |= found
        found, ended = bench.evaluate(training.model, "test")
    if ended.failure is not None:
        return row | {"phase": "evaluate", "failure": ended.failure, "cause": ended.cause}
    return row | found


def base_scores(bench: Bench) -> dict[str, float]:
    """The base model's score on both splits."""
    found: dict[str, float] = {}
    for split in ("validation", "test"):
        scores, _ = bench.evaluate(bench.base.ref, split)
        found[split] = scores[split]
    return found


def wanted(landscape: Landscape) -> Iterator[tuple[Point, int]]:
    """What is trained, in order: every point once, then a part of them again."""
    points = landscape.points()
    yield from ((point, 0) for point in points)
    yield from ((point, 1) for point in points[::_SECOND_SEEDS])


def opened(landscape: Landscape, out: Path, data_dir: Path | None) -> Bench:
    """Data and base model, prepared below `out`."""
    spec = registry.task(landscape.task)
    data = prepare(spec, out / "cache", out / "private", data_dir=data_dir)
    base = resolve_base(landscape.base_model or spec.base_model, data, out / "cache", print)
    work = out / f"work-{landscape.task}"
    builder = registry.backend("build", "aidp")
    return Bench(landscape, data, base, Datasets(data, work / "datasets", builder, work), work)


def known(path: Path) -> set[tuple[Point, int]]:
    """What the table holds; a line that was cut short by a kill is taken off."""
    if not path.exists():
        return set()
    lines = path.read_text("utf-8").split("\n")
    path.write_text("".join(line + "\n" for line in lines[:-1]), "utf-8")
    rows = [json.loads(line) for line in lines[:-1]]
    return {(tuple(row["point"]), row["seed"]) for row in rows if "point" in row}


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=sorted(LANDSCAPES))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--most", type=int, help="stop after so many trainings")
    options = parser.parse_args()
    landscape = LANDSCAPES[options.task]
    bench = opened(landscape, options.out, options.data_dir)
    table = options.out / f"{options.task}.jsonl"
    done = known(table)
    left = [item for item in wanted(landscape) if item not in done][: options.most]
    with table.open("a", encoding="utf-8") as stream:
        for number, (point, seed) in enumerate(left, 1):
            row = row_of(bench, point, seed)
            gc.freeze()  # what was imported is not looked through at the end of each training
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            stream.flush()
            names = ", ".join(level.name for level in landscape.levels(point))
            score = row.get("failure") or f"{row['validation']:.3f} {row['test']:.3f}"
            seconds = row.get("train_seconds", 0.0)
            print(f"{number}/{len(left)} {score} {seconds:.1f} s  {names}", flush=True)


if __name__ == "__main__":
    main()
