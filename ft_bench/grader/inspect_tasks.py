"""Inspect tasks: each task of ours as an Inspect `Task`: `inspect eval ft_bench/sst2` works.

Items are scored by our scorer; the metric that Inspect shows is the corpus metric itself, from
the same sums as everywhere else. `-T split=validation` scores validation, the default is the test
split, which only the person who prepared it can read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.scorer import Metric, SampleScore, Score, Target, metric, scorer
from inspect_ai.solver import Generate, Solver, TaskState, generate, solver

from ft_bench import registry
from ft_bench.config import resolve
from ft_bench.errors import UnknownName
from ft_bench.prepare import Prepared, prepare, read_rows
from ft_bench.protocols import ItemScore, Row, Scorer
from ft_bench.suite import homes
from ft_bench.task import TaskSpec

__all__ = ["inspect_task"]


def _prepared(spec: TaskSpec) -> Prepared:
    config, _ = resolve({})
    where = homes(config)
    return prepare(spec, where.cache, where.private, data_dir=config.data_dir)


def inspect_task(name: str, split: str = "test") -> Task:
    """Our task `name` as an Inspect task on one split.

    Raises:
        UnknownName: for a split that is not "test" or "validation".
        DataMissing: where the task is not prepared and cannot be.
    """
    if split not in ("test", "validation"):
        raise UnknownName("split", split, ("test", "validation"), "-T split=...")
    spec = registry.task(name)
    data = _prepared(spec)
    rows: list[Row] = list(read_rows(data.test if split == "test" else data.validation))
    samples = [
        Sample(id=str(row["id"]), input=str(row["prompt"]), target=str(row["answer"]))
        for row in rows
    ]
    return Task(
        name=spec.id,
        dataset=MemoryDataset(samples, name=f"{spec.id}/{split}"),
        solver=[_offline_counts(), generate()],
        scorer=_scorer(spec, rows),
        config=GenerateConfig(max_tokens=spec.generation.max_new_tokens, temperature=0.0),
        version=spec.version,
        metadata={"split": split, "parser": spec.parser, "data_digest": data.data_digest},
    )


@solver
def _offline_counts() -> Solver:
    """Let the mock model run without a network.

    Inspect counts a mock output's tokens with a tokenizer that it downloads; four characters a
    token will do for outputs that nobody pays for. Other models count as they do.
    """

    async def count(text: str) -> int:
        return max(1, len(text) // 4)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if state.model.api == "mockllm":
            vars(get_model().api)["count_text_tokens"] = count
        return state

    return solve


def _scorer(spec: TaskSpec, rows: list[Row]) -> Any:
    ours = registry.scorer(spec.scorer)
    by_id = {str(row["id"]): row for row in rows}

    @metric(name=spec.metric.name)
    def corpus() -> Metric:
        def compute(scores: list[SampleScore]) -> float:
            return _corpus(ours, by_id, scores)

        return compute

    @scorer(metrics=[corpus()], name=spec.scorer)
    def per_item() -> Callable[[TaskState, Target], Any]:
        async def score(state: TaskState, target: Target) -> Score:
            row = by_id[str(state.sample_id)]
            (item,) = ours.score_items([row], [state.output.completion], parser=spec.parser)
            return Score(
                value=item.value,
                answer=str(item.prediction),
                metadata={
                    "valid": item.valid,
                    "prediction": item.prediction,
                    "components": dict(item.components),
                },
            )

        return score

    return per_item()


def _corpus(ours: Scorer, rows: dict[str, Row], scores: list[SampleScore]) -> float:
    chosen = [rows[str(score.sample_id)] for score in scores]
    items = [
        ItemScore(
            id=str(score.sample_id),
            value=float(cast(float, score.score.value)),
            valid=bool((score.score.metadata or {}).get("valid")),
            prediction=(score.score.metadata or {}).get("prediction"),
            components=(score.score.metadata or {}).get("components") or {},
        )
        for score in scores
    ]
    return float(ours.value(ours.statistics(chosen, items).sum(axis=0)))


def _register(name: str) -> Callable[..., Task]:
    def build(split: str = "test") -> Task:
        return inspect_task(name, split)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"The task {name} of FT-Bench."
    registered: Callable[..., Task] = task(name=name)(build)
    return registered


globals().update({name: _register(name) for name in registry.tasks()})
