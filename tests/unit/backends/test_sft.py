"""SFT: it learns, it is bit-equal when repeated, and it fails with the right word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ft_bench.backends.cluster.local import LocalCluster
from ft_bench.backends.models.loading import load_model, load_tokenizer
from ft_bench.backends.train import sft
from ft_bench.backends.train.batches import pad_left
from ft_bench.backends.train.tokens import cached_tokens
from ft_bench.errors import JobFailed
from ft_bench.job import ModelRef, TrainJob
from ft_bench.plan import Lora

# peft 0.21 reads an attribute that transformers 5.23 has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")


def at(job: TrainJob, out: Path, **variant: Any) -> TrainJob:
    changed = job.variant.model_copy(update=variant)
    return job.model_copy(update={"out": str(out), "variant": changed})


def weights(folder: str) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(Path(folder) / "model.safetensors")


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def test_full_training_learns_and_reports(train_job: TrainJob) -> None:
    report = sft.train(at(train_job, Path(train_job.out), epochs=8))
    assert report.steps == 48
    assert report.samples == 8 * 90
    assert report.last_loss < 0.5 * report.first_loss
    assert report.model.adapter is None
    lines = Path(train_job.out, "metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines]
    assert [line["step"] for line in metrics] == list(range(1, 49))
    assert set(metrics[0]) == {"step", "loss", "lr", "seconds"}
    assert max(line["lr"] for line in metrics) == train_job.variant.lr
    assert not list(Path(train_job.out).glob("checkpoint*"))


def test_the_same_job_gives_the_same_bytes_in_any_order(
    train_job: TrainJob, tmp_path: Path
) -> None:
    first = sft.train(train_job)
    other = sft.train(at(train_job, tmp_path / "other", lr=1e-3))
    again = sft.train(at(train_job, tmp_path / "again"))
    assert same(weights(first.model.base), weights(again.model.base))
    assert not same(weights(first.model.base), weights(other.model.base))
    assert first.last_loss == again.last_loss


def test_the_seed_changes_the_order_of_rows(train_job: TrainJob, tmp_path: Path) -> None:
    first = sft.train(train_job)
    update = {"seed": 4, "out": str(tmp_path / "other")}
    second = sft.train(train_job.model_copy(update=update))
    assert not same(weights(first.model.base), weights(second.model.base))


def test_a_fraction_of_an_epoch(train_job: TrainJob) -> None:
    report = sft.train(at(train_job, Path(train_job.out), epochs=0.5))
    assert (report.steps, report.samples) == (3, 45)


def test_the_loss_is_that_of_every_position_masked(train_job: TrainJob) -> None:
    tokenizer, model = load_tokenizer(train_job.init), load_model(train_job.init, "float32")
    tokens = cached_tokens(
        tokenizer, train_job.dataset, train_job.dataset_hash, 64, Path(train_job.token_cache)
    )
    rows = list(range(len(tokens)))
    with torch.no_grad():
        batch = pad_left(tokens, rows, tokenizer.pad_token_id)
        labels = batch.pop("labels")
        logits = model(**batch).logits[:, :-1]
    wanted = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
    whole = at(train_job, Path(train_job.out), epochs=1, batch_size=90)
    assert sft.train(whole).first_loss == pytest.approx(float(wanted), rel=1e-5)


def test_packing_changes_the_layout_and_not_the_loss(train_job: TrainJob, tmp_path: Path) -> None:
    padded = sft.train(train_job)
    packed = sft.train(at(train_job, tmp_path / "packed", packing=True))
    assert packed.first_loss == pytest.approx(padded.first_loss, rel=1e-4)
    assert packed.last_loss == pytest.approx(padded.last_loss, rel=0.05)


def test_lora_saves_an_adapter_that_training_can_go_on_with(
    train_job: TrainJob, tmp_path: Path
) -> None:
    report = sft.train(at(train_job, Path(train_job.out), lora=Lora(r=4, alpha=8)))
    assert report.model.base == train_job.init.base
    assert report.model.adapter is not None
    assert Path(report.model.adapter, "adapter_model.safetensors").exists()
    onward = train_job.model_copy(update={"init": report.model})
    second = sft.train(at(onward, tmp_path / "second", lora=Lora(r=4, alpha=8)))
    assert second.first_loss < report.first_loss
    merged = sft.train(at(onward, tmp_path / "merged"))
    assert merged.model.adapter is None
    assert merged.first_loss == pytest.approx(second.first_loss, rel=1e-4)


def test_a_loss_that_is_no_number_is_divergence(train_job: TrainJob, tmp_path: Path) -> None:
    broken, tokenizer = load_model(train_job.init, "float32"), load_tokenizer(train_job.init)
    broken.model.norm.weight.data.fill_(torch.inf)
    for part in (broken, tokenizer):
        part.save_pretrained(tmp_path / "broken")
    job = train_job.model_copy(update={"init": ModelRef(base=str(tmp_path / "broken"))})
    with pytest.raises(JobFailed, match=r"the loss is (nan|inf) at step 1 of 12") as failure:
        sft.train(job)
    assert failure.value.kind == "DIVERGED"


def test_the_ladder_halves_then_recomputes() -> None:
    assert list(sft.rungs(32)) == [
        (32, False), (16, False), (8, False), (4, False), (4, True), (1, True),
    ]  # fmt: skip
    assert list(sft.rungs(1)) == [(1, False), (1, True)]


def test_out_of_memory_climbs_the_ladder_and_learns_the_same(
    train_job: TrainJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sft.train(train_job)
    climb, tried = sft._climb, []

    def short_of_memory(job: Any, tok: Any, tokens: Any, size: int, checkpointing: bool) -> Any:
        tried.append((size, checkpointing))
        if not checkpointing:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20 GiB")
        return climb(job, tok, tokens, size, checkpointing)

    monkeypatch.setattr(sft, "_climb", short_of_memory)
    small = sft.train(at(train_job, tmp_path / "small"))
    assert tried == [(16, False), (8, False), (4, False), (2, False), (2, True)]
    assert small.last_loss == pytest.approx(whole.last_loss, rel=0.02)


def test_where_nothing_fits_the_failure_is_oom(
    train_job: TrainJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(sft, "_climb", full)
    with pytest.raises(JobFailed) as failure:
        sft.train(train_job)
    assert failure.value.kind == "OOM"


def test_other_errors_pass_the_ladder(train_job: TrainJob, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(sft, "_climb", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        sft.train(train_job)


def test_a_training_in_a_fork_of_the_warm_server_is_the_same_training(
    train_job: TrainJob, tmp_path: Path
) -> None:
    here = sft.train(train_job)
    cluster = LocalCluster(slots=1)
    try:
        outcome = cluster.run(at(train_job, tmp_path / "forked"), 120)
    finally:
        cluster.close()
    assert outcome.failure is None, outcome.cause
    assert outcome.training is not None
    assert same(weights(here.model.base), weights(outcome.training.model.base))
