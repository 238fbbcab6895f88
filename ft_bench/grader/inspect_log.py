"""Inspect log: an evaluation's outcomes as an `.eval` file that `inspect view` opens.

The fast evaluator generates in batches and scores with our scorer; this writes what it found in
Inspect's format. A sealed log shows outputs and scores, and neither prompts nor gold answers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ft_bench.outcome import read_samples
from ft_bench.protocols import Row
from ft_bench.record import Score
from ft_bench.task import TaskSpec

__all__ = ["write_log"]

_SEALED = "(sealed)"


def write_log(
    out: Path,
    spec: TaskSpec,
    rows: Sequence[Row],
    samples: Path,
    score: Score,
    *,
    model: str,
    sealed: bool,
) -> Path:
    """Write the outcomes in `samples` (a `samples.jsonl`) as an `.eval` log.

    Args:
        out: the log; its folder is made.
        spec: the task.
        rows: the split, in the order of `samples`.
        samples: per-item outcomes.
        score: the corpus score of the same items.
        model: what the log calls the model.
        sealed: leave prompts and gold answers out.
    """
    from inspect_ai import log as inspect

    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    ids = [str(row["id"]) for row in rows]
    found = inspect.EvalLog(
        status="success",
        eval=inspect.EvalSpec(
            created=now,
            task=f"ft_bench/{spec.id}",
            task_id=f"{spec.id}-{score.split}",
            task_version=spec.version,
            dataset=inspect.EvalDataset(
                name=f"{spec.id}/{score.split}", samples=len(ids), sample_ids=list(ids)
            ),
            model=model,
            config=inspect.EvalConfig(epochs=1),
            metadata={"profile": score.profile, "parser": score.parser},
        ),
        stats=inspect.EvalStats(started_at=now, completed_at=now),
        results=_results(inspect, spec, score),
        samples=[
            _sample(inspect, spec, row, line, model, sealed=sealed)
            for row, line in zip(rows, read_samples(samples), strict=True)
        ],
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    inspect.write_eval_log(found, str(out), format="eval")
    return out


def _results(inspect: Any, spec: TaskSpec, score: Score) -> Any:
    values = {score.metric: score.value, "ci_low": score.ci.low, "ci_high": score.ci.high}
    metrics = {
        name: inspect.EvalMetric(name=name, value=value)
        for name, value in {**values, **score.components}.items()
    }
    scored = inspect.EvalScore(name=spec.scorer, scorer=spec.scorer, metrics=metrics)
    return inspect.EvalResults(total_samples=score.n, completed_samples=score.n, scores=[scored])


def _sample(
    inspect: Any, spec: TaskSpec, row: Row, line: dict[str, Any], model: str, *, sealed: bool
) -> Any:
    from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput
    from inspect_ai.scorer import Score as InspectScore

    prompt = _SEALED if sealed else str(row["prompt"])
    return inspect.EvalSample(
        id=str(row["id"]),
        epoch=1,
        input=prompt,
        target=_SEALED if sealed else str(row["answer"]),
        messages=[
            ChatMessageUser(content=prompt),
            ChatMessageAssistant(content=line["output"]),
        ],
        output=ModelOutput.from_content(model, line["output"]),
        scores={
            spec.scorer: InspectScore(
                value=line["value"],
                answer=str(line["prediction"]),
                metadata={"valid": line["valid"]},
            )
        },
    )
