"""A model of a few thousand weights, a dataset for it, and plug-ins that misbehave on purpose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ft_bench.job import EvaluateJob, ModelRef, TrainJob
from ft_bench.plan import Variant

WORDS = ("red", "green", "blue", "round", "square", "old", "new", "far", "near", "wide")

FAKES = """
import os, signal, subprocess, sys, time
from pathlib import Path
from ft_bench.errors import JobFailed
from ft_bench.job import ModelRef, Training


def _note(job, name, text):
    Path(job.out, name).write_text(text)


def fine(job):
    _note(job, "who", f"{os.getpid()} {os.getsid(0)} {os.getppid()}")
    return Training(
        model=ModelRef(base="b"), steps=1, samples=1, tokens=1, first_loss=2.0, last_loss=1.0
    )


def lingers(job):
    child = subprocess.Popen(
        [sys.executable, "-c", "import signal, time; "
         "signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"],
        stdout=subprocess.PIPE,
        process_group=0,
    )
    child.stdout.readline()
    _note(job, "pids", f"{os.getpid()} {child.pid}")
    time.sleep(600)


def leaves_a_daemon(job):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    _note(job, "pids", str(child.pid))
    return fine(job)


def waits(job):
    _note(job, "pids", str(os.getpid()))
    for _ in range(2000):
        if Path(job.dataset).exists():
            return fine(job)
        time.sleep(0.01)
    raise TimeoutError("nobody came")


def dies(job):
    print("about to die", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def diverges(job):
    raise JobFailed("DIVERGED", "the loss is nan at step 3 of 9")


def breaks(job):
    raise KeyError("a bug")


def fills(job):
    raise MemoryError
"""


@pytest.fixture(scope="session")
def plugin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder which, on the path, is an installed distribution with the fakes as trainers."""
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "fake_jobs.py").write_text(FAKES)
    info = folder / "fake_jobs-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-jobs\nVersion: 0\n")
    names = ("fine", "lingers", "leaves_a_daemon", "waits", "dies", "diverges", "breaks", "fills")
    lines = "\n".join(f'"train.{name}" = fake_jobs:{name}'.replace('"', "") for name in names)
    (info / "entry_points.txt").write_text(f"[ft_bench.backends]\n{lines}\n")
    return folder


@pytest.fixture
def fakes(plugin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fakes, installed in this process."""
    monkeypatch.syspath_prepend(str(plugin_folder))


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    """An untrained model of one layer with a byte-level tokenizer."""
    from ft_bench.backends.models.scratch import byte_tokenizer, network

    folder = tmp_path_factory.mktemp("base")
    tokenizer = byte_tokenizer([" ".join(WORDS)] * 4, 300)
    tokenizer.save_pretrained(folder)
    network(tokenizer, hidden=32, layers=1, seed=0).save_pretrained(folder)
    return ModelRef(base=str(folder))


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Ninety rows: say the colour among other words."""
    import random

    from datasets import Dataset

    rng = random.Random(0)
    rows: list[dict[str, Any]] = []
    for _ in range(90):
        colour = rng.choice(WORDS[:3])
        words = [*rng.choices(WORDS[3:], k=rng.randint(1, 6)), colour]
        rng.shuffle(words)
        rows.append({"prompt": " ".join(words), "answer": colour, "source": "made"})
    folder = tmp_path_factory.mktemp("dataset") / "rows"
    Dataset.from_list(rows).save_to_disk(str(folder))
    return str(folder)


@pytest.fixture
def train_job(base: ModelRef, dataset: str, tmp_path: Path) -> TrainJob:
    """Twelve steps of full fine-tuning."""
    return TrainJob(
        init=base,
        dataset=dataset,
        dataset_hash="rows-1",
        variant=Variant(lr=5e-3, epochs=2, batch_size=16, max_length=64),
        seed=3,
        out=str(tmp_path / "train"),
        token_cache=str(tmp_path / "tokens"),
    )


@pytest.fixture
def evaluate_job(base: ModelRef, tmp_path: Path) -> EvaluateJob:
    """Four new tokens a prompt, five prompts at a time."""
    return EvaluateJob(
        model=base,
        rows=str(tmp_path / "rows.jsonl"),
        split="validation",
        scorer="mini",
        parser="strict",
        max_new_tokens=4,
        out=str(tmp_path / "evaluate"),
        batch_size=5,
    )


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """Progress bars of the libraries are no part of any test."""
    from datasets import disable_progress_bars

    disable_progress_bars()
