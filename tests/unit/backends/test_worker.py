"""Worker: every way a job can end becomes an outcome on disk."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ft_bench.backends import worker
from ft_bench.job import EvaluateJob, JobOutcome, TrainJob, begin, finished


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize(
    ("trainer", "failure", "words"),
    [
        ("diverges", "DIVERGED", "the loss is nan at step 3 of 9"),
        ("breaks", "INFRA", "KeyError: 'a bug'"),
        ("fills", "OOM", "no memory left"),
        ("unheard_of", "INFRA", "Unknown backends 'train.unheard_of'"),
    ],
)
def test_failures_have_a_kind_and_a_cause(
    train_job: TrainJob, trainer: str, failure: str, words: str
) -> None:
    job = train_job.model_copy(update={"trainer": trainer})
    outcome = worker.run_job(job)
    assert outcome.failure == failure
    assert words in outcome.cause
    assert outcome.training is None


@pytest.mark.usefixtures("fakes")
def test_the_outcome_on_disk_is_the_outcome_and_says_that_the_job_is_finished(
    train_job: TrainJob,
) -> None:
    job = train_job.model_copy(update={"trainer": "fine"})
    begin(job)
    assert finished(job) is None
    outcome = worker.run_job(job)
    assert outcome.failure is None
    assert outcome.seconds["total"] >= outcome.seconds["train"] >= 0
    assert finished(job) == outcome
    assert finished(job.model_copy(update={"seed": 99})) is None
    begin(job)
    assert finished(job) is None


def test_an_evaluation_writes_one_scored_line_a_row(evaluate_job: EvaluateJob) -> None:
    """Also where a prompt holds signs that other readers take for the end of a line."""
    prompt = "old\u2028red\x85old\x0cred"
    rows = [{"id": f"v{i}", "prompt": prompt, "answer": "ether"} for i in range(7)]
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    Path(evaluate_job.rows).write_text("".join(lines), encoding="utf-8")
    outcome = worker.run_job(evaluate_job)
    assert outcome.failure is None, outcome.cause
    assert outcome.profile.startswith("transformers-")
    lines = Path(evaluate_job.out, "samples.jsonl").read_text().splitlines()
    samples = [json.loads(line) for line in lines]
    assert [sample["id"] for sample in samples] == [row["id"] for row in rows]
    assert set(samples[0]) >= {"id", "output", "value", "valid", "prediction"}


def test_an_evaluation_that_cannot_run_is_an_evaluation_error(evaluate_job: EvaluateJob) -> None:
    outcome = worker.run_job(evaluate_job)  # its rows were never written
    assert outcome.failure == "EVAL_ERROR"
    assert "rows.jsonl" in outcome.cause


def test_a_job_in_a_fresh_process(train_job: TrainJob, plugin_folder: Path) -> None:
    job = train_job.model_copy(update={"trainer": "diverges"})
    child = subprocess.run(
        [sys.executable, "-m", "ft_bench.backends.worker", str(begin(job))],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(plugin_folder), "PATH": ""},
    )
    assert child.returncode == 1
    assert child.stdout == ""
    assert "JobFailed" in child.stderr
    ended = finished(job)
    assert isinstance(ended, JobOutcome)
    assert ended.failure == "DIVERGED"


def test_usage_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert worker.main([]) == 2
    assert capsys.readouterr().err == "usage: python -m ft_bench.backends.worker JOB.json\n"
