"""Grade: one evaluation of the selected model and of the base on the sealed test split.

Runs in a process of its own, started by the runner once the agent has ended. Only counts, scores
and the models' own outputs come out; the rows of the test split never do.
"""

from __future__ import annotations

from pathlib import Path

from ft_bench import registry
from ft_bench.audit import Reference
from ft_bench.digest import derive_seed
from ft_bench.errors import JobFailed
from ft_bench.grader.inspect_log import write_log
from ft_bench.grader.spec import Grade, GradeSpec
from ft_bench.job import EvaluateJob, ModelRef, begin, finished
from ft_bench.lineage import lineage_of
from ft_bench.outcome import filed, read_items, score_of, statistics_of, write_samples
from ft_bench.prepare import prepared, read_rows
from ft_bench.protocols import Row, Scorer
from ft_bench.record import Lineage, Overlap
from ft_bench.stats import gain_interval
from ft_bench.task import TaskSpec
from ft_bench.weights import local_folder

__all__ = ["grade"]


def grade(spec: GradeSpec) -> Grade:
    """Evaluate, score and compare.

    Raises:
        JobFailed: where the base model cannot be evaluated, or the machine failed; a tuned model
            that cannot be evaluated gets the metric's floor on every item.
    """
    task = registry.task(spec.task)
    data = prepared(task, Path(spec.cache), Path(spec.private))
    rows: list[Row] = list(read_rows(data.test))
    scorer = registry.scorer(task.scorer)
    names = {"base": spec.base} | ({"tuned": spec.tuned} if spec.tuned else {})
    jobs = {name: _job(spec, task, data.test, name, model) for name, model in names.items()}
    scores, seconds = {}, 0.0
    for name, job in jobs.items():
        device_seconds, profile = _evaluate(job, name, rows, scorer)
        seconds += device_seconds
        samples = Path(job.out) / "samples.jsonl"
        score = score_of(task, scorer, rows, read_items(samples), "test")
        scores[name] = filed(score, Path(spec.root), samples, profile)
    chosen = "tuned" if spec.tuned else "base"
    write_log(
        Path(spec.out) / "test.eval",
        task,
        rows,
        Path(jobs[chosen].out) / "samples.jsonl",
        scores[chosen],
        model=f"ft_bench/{chosen}",
        sealed=True,
    )
    statistics = {
        name: statistics_of(Path(job.out) / "samples.jsonl", rows, scorer)
        for name, job in jobs.items()
    }
    half = (scores[chosen].ci.high - scores[chosen].ci.low) / 2
    return Grade(
        test=scores[chosen],
        base=scores["base"],
        gain=gain_interval(
            statistics[chosen],
            statistics["base"],
            scorer.value,
            reference=task.reference.score if task.reference else None,
            half_width=half,
            seed=derive_seed(spec.seed, "gain"),
            direction=task.metric.direction,
            span=(task.metric.floor, task.metric.ceiling),
        ),
        contamination=_contamination(spec.dataset, rows, data.train),
        lineage=_lineage(spec),
        device_seconds=round(seconds, 3),
    )


def _job(spec: GradeSpec, task: TaskSpec, rows: Path, name: str, model: ModelRef) -> EvaluateJob:
    return EvaluateJob(
        model=model,
        rows=str(rows),
        split="test",
        scorer=task.scorer,
        parser=task.parser,
        max_new_tokens=task.generation.max_new_tokens,
        out=str(Path(spec.out) / name),
        batch_size=spec.batch_size,
        generator=spec.generator,
    )


def _evaluate(job: EvaluateJob, name: str, rows: list[Row], scorer: Scorer) -> tuple[float, str]:
    """Device-seconds and profile; samples are on disk when this returns."""
    outcome = finished(job)
    if outcome is None or outcome.failure == "INFRA" or (outcome.failure and name == "base"):
        begin(job)
        outcome = registry.load("backends", "worker")(job)
    if outcome.failure is None:
        return outcome.device_seconds, outcome.profile
    if name == "base" or outcome.failure == "INFRA":
        raise JobFailed(outcome.failure, f"the {name} model on test: {outcome.cause}")
    nothing = [""] * len(rows)
    items = scorer.score_items(rows, nothing, parser=job.parser)
    write_samples(Path(job.out) / "samples.jsonl", rows, nothing, items)
    return outcome.device_seconds, f"floor: {outcome.failure}"


def _contamination(dataset: str | None, rows: list[Row], train: Path) -> tuple[Overlap, ...]:
    if dataset is None:
        return ()
    import datasets

    prompts = datasets.load_from_disk(dataset)["prompt"][:]
    sealed = Reference(
        "test",
        [str(row["prompt"]) for row in rows],
        pool=(str(row["prompt"]) for row in read_rows(train)),
        near=registry.backend("overlap", "aidp"),
    )
    return (sealed.overlap(prompts),)


def _lineage(spec: GradeSpec) -> Lineage | None:
    """The tuned model against the base; None where either is not a folder on this machine."""
    if spec.tuned is None:
        return None
    base, model = (local_folder(name) for name in (spec.base.base, spec.tuned.base))
    if base is None or model is None:
        return None
    adapter = Path(spec.tuned.adapter) if spec.tuned.adapter else None
    return lineage_of(base, model, adapter, foreign=spec.foreign)
