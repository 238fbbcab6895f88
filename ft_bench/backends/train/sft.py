"""SFT: the entry point `train.trl`; full and LoRA fine-tuning with TRL, on CPU and GPU alike."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_bench.backends.models.loading import has_cuda, load_model, load_tokenizer
from ft_bench.errors import JobFailed
from ft_bench.job import ModelRef, Training

if TYPE_CHECKING:
    from ft_bench.backends.train.tokens import Tokens
    from ft_bench.job import TrainJob

__all__ = ["is_out_of_memory", "rungs", "train"]

_logger = logging.getLogger(__name__)


def train(job: TrainJob) -> Training:
    """Fine-tune `job.init` on the answers of `job.dataset`.

    Writes the model (safetensors) or, for LoRA, the adapter to `job.out`/model, and
    `job.out`/metrics.jsonl. On the CPU with one thread the same job gives the same bytes. Where
    memory runs out, a smaller micro-batch and then gradient checkpointing are tried; what is
    learned stays the same up to rounding.

    Raises:
        JobFailed: DATA_SOURCE, DATA_SCHEMA or DATA_EMPTY for a dataset that cannot be used;
            DIVERGED where the loss is no longer finite; OOM where no rung of the ladder fits.
    """
    import torch

    from ft_bench.backends.train.tokens import cached_tokens

    torch.set_num_threads(job.threads)
    tokenizer = load_tokenizer(job.init)
    tokens = cached_tokens(
        tokenizer, job.dataset, job.dataset_hash, job.variant.max_length, Path(job.token_cache)
    )
    out = Path(job.out)
    out.mkdir(parents=True, exist_ok=True)
    for micro_batch, checkpointing in rungs(job.variant.batch_size):
        try:
            return _climb(job, tokenizer, tokens, micro_batch, checkpointing)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            _logger.warning(
                "out of memory with %d sequences at once, checkpointing %s",
                micro_batch,
                checkpointing,
            )
        # Outside the except block: the traceback would keep the failed model alive.
        if has_cuda():
            torch.cuda.empty_cache()
    raise JobFailed("OOM", "one sequence at a time with gradient checkpointing does not fit")


def rungs(batch_size: int) -> Iterator[tuple[int, bool]]:
    """The ladder for a full memory: (sequences per forward pass, gradient checkpointing).

    The micro-batch is halved down to an eighth, then activations are recomputed, and at last one
    sequence is taken at a time.
    """
    sizes = [max(1, math.ceil(batch_size / part)) for part in (1, 2, 4, 8)]
    unique = list(dict.fromkeys(sizes))
    yield from ((size, False) for size in unique)
    yield unique[-1], True
    if unique[-1] > 1:
        yield 1, True


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory ran out, on the device or on the host."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate" in text


def _climb(
    job: TrainJob, tokenizer: Any, tokens: Tokens, micro_batch: int, checkpointing: bool
) -> Training:
    from ft_bench.backends.train.batches import LengthBatches
    from ft_bench.backends.train.trainer import AnswerTrainer, LossLog, lora_config, settings

    variant, out = job.variant, Path(job.out)
    batches = LengthBatches(tokens.lengths(), variant.batch_size, micro_batch, job.seed)
    steps = max(1, round(variant.epochs * math.ceil(len(tokens) / variant.batch_size)))
    log = LossLog(out / "metrics.jsonl", steps)
    model = _initial(job)
    trainer = AnswerTrainer(
        model=model,
        args=settings(variant, job.seed, out, steps, micro_batch, checkpointing),
        processing_class=tokenizer,
        peft_config=lora_config(variant.lora) if variant.lora and not _continues(job) else None,
        tokens=tokens,
        batches=batches,
        packed=variant.packing,
        log=log,
    )
    trainer.train()
    share = steps / math.ceil(len(tokens) / variant.batch_size)
    return Training(
        model=_save(job, trainer.model, tokenizer),
        steps=steps,
        samples=min(round(share * len(tokens)), steps * variant.batch_size),
        tokens=round(share * len(tokens.ids)),
        first_loss=log.losses[0],
        last_loss=log.losses[-1],
        truncated=tokens.truncated,
    )


def _continues(job: TrainJob) -> bool:
    return job.init.adapter is not None and job.variant.lora is not None


def _initial(job: TrainJob) -> Any:
    """Full training has float32 masters everywhere; a frozen base on a GPU is kept in bfloat16."""
    frozen = job.variant.lora is not None and has_cuda()
    return load_model(job.init, "bfloat16" if frozen else "float32", trainable=_continues(job))


def _save(job: TrainJob, model: Any, tokenizer: Any) -> ModelRef:
    folder = Path(job.out) / "model"
    if job.variant.lora is not None:
        model.save_pretrained(folder, safe_serialization=True)
        return ModelRef(base=job.init.base, adapter=str(folder))
    if has_cuda():
        model = model.bfloat16()
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return ModelRef(base=str(folder))
