"""AnswerTrainer: TRL's SFTTrainer with the language-model head on supervised positions only."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from ft_bench.backends.train.batches import IGNORED, LengthBatches, RowNumbers, flatten, pad_left
from ft_bench.backends.train.tokens import Tokens
from ft_bench.errors import JobFailed
from ft_bench.plan import Lora, Variant

__all__ = ["AnswerTrainer", "LossLog", "lora_config", "settings"]

_FIELDS = {field.name for field in dataclasses.fields(SFTConfig)}
_CHECKPOINTING = (
    "activation_checkpointing"
    if "activation_checkpointing" in _FIELDS
    else "gradient_checkpointing"
)
"""transformers renamed the option within its version 5."""

_LINES = 50
"""About how many lines `metrics.jsonl` gets: each costs one wait for the device."""


class LossLog(TrainerCallback):  # type: ignore[misc]  # transformers is not typed here
    """Writes `metrics.jsonl` and stops a training whose loss is no longer a number.

    Each line has `step`, `loss` (mean per supervised token since the line before, in nats), `lr`
    and `seconds` since the training began.

    Args:
        path: the file; an earlier one is replaced.
        steps: how many optimiser steps there will be.
    """

    def __init__(self, path: Path, steps: int) -> None:
        self.every = max(1, steps // _LINES)
        self.losses: list[float] = []
        self._path, self._steps = path, steps
        self._sum = torch.zeros(())
        self._since = 0
        self._start = time.monotonic()
        path.write_text("", encoding="utf-8")

    def add(self, loss: torch.Tensor) -> None:
        """Count one micro-batch's share of the step's mean loss; does not wait for the device."""
        self._sum = self._sum.to(loss.device) + loss.detach()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write a line where one is due."""
        self._since += 1
        step = int(state.global_step)
        if step % self.every == 0 or step == self._steps:
            self._write(step, kwargs["lr_scheduler"].get_last_lr()[0])

    def _write(self, step: int, lr: float) -> None:
        loss = float(self._sum) / self._since
        if not math.isfinite(loss):
            raise JobFailed("DIVERGED", f"the loss is {loss} at step {step} of {self._steps}")
        self.losses.append(loss)
        self._sum, self._since = torch.zeros_like(self._sum), 0
        line = {"step": step, "loss": round(loss, 6), "lr": lr}
        seconds = round(time.monotonic() - self._start, 3)
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({**line, "seconds": seconds}) + "\n")


class AnswerTrainer(SFTTrainer):  # type: ignore[misc]  # trl is not typed
    """SFT on answers, with batches from `Tokens`.

    The stock trainer projects every position onto the vocabulary where no Triton is at hand; most
    of a training row is prompt, so here only positions whose next token is supervised are
    projected (`logits_to_keep`). The loss is the same number.
    """

    def __init__(
        self, *, tokens: Tokens, batches: LengthBatches, packed: bool, log: LossLog, **options: Any
    ) -> None:
        from datasets import Dataset

        self._batches, self._log = batches, log
        collate = (
            partial(flatten, tokens)
            if packed
            else partial(pad_left, tokens, pad_id=options["processing_class"].pad_token_id)
        )
        # SFTTrainer asks for an Arrow dataset with input ids; the loader below never reads it.
        marker = Dataset.from_dict({"input_ids": [[0]], "labels": [[0]]})
        super().__init__(train_dataset=marker, data_collator=collate, callbacks=[log], **options)
        self._rows = RowNumbers(len(tokens))
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> Any:
        """The loader over row numbers; the collator turns them into tensors."""
        loader = torch.utils.data.DataLoader(
            self._rows,
            batch_sampler=self._batches,
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )
        return self.accelerator.prepare(loader)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """The summed cross-entropy of supervised tokens over `num_items_in_batch`, a scalar.

        `return_outputs` is not supported: nothing here evaluates during a training.
        """
        targets = inputs.pop("labels")[:, 1:]
        columns = (targets != IGNORED).any(dim=0).nonzero().squeeze(1)
        logits = model(**inputs, logits_to_keep=columns, use_cache=False).logits
        wanted = targets[:, columns].reshape(-1)
        loss = torch.nn.functional.cross_entropy(
            logits.reshape(-1, logits.shape[-1]).float(),
            wanted,
            ignore_index=IGNORED,
            reduction="sum",
        )
        count = (wanted != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
        loss = loss / count
        self._log.add(loss)
        return loss


def lora_config(lora: Lora) -> Any:
    """The peft configuration of a variant's adapter."""
    from peft import LoraConfig

    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
    )


def settings(
    variant: Variant, seed: int, folder: Path, steps: int, micro_batch: int, checkpointing: bool
) -> Any:
    """The trainer's configuration: no evaluation, no reports, no checkpoints, no bars.

    Args:
        variant: the training scheme.
        seed: of everything random in the trainer; the order of rows has its own.
        folder: where the trainer may write; it writes nothing.
        steps: optimiser steps.
        micro_batch: sequences per forward pass.
        checkpointing: recompute activations in the backward pass instead of keeping them.
    """
    cuda = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(folder),
        seed=seed,
        max_steps=steps,
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=math.ceil(variant.batch_size / micro_batch),
        learning_rate=variant.lr,
        lr_scheduler_type=variant.schedule if variant.warmup == 0 else _warmed(variant.schedule),
        warmup_steps=math.ceil(variant.warmup * steps),
        weight_decay=variant.weight_decay,
        max_length=None,
        bf16=cuda and torch.cuda.is_bf16_supported(),
        use_cpu=not cuda,
        **{_CHECKPOINTING: checkpointing},
        dataset_kwargs={"skip_prepare_dataset": True},
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=cuda,
    )


def _warmed(schedule: str) -> str:
    return "constant_with_warmup" if schedule == "constant" else schedule
