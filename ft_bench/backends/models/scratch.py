"""Scratch: a small Qwen3 model and its tokenizer, made from nothing and trained on token blocks."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["TEMPLATE", "byte_tokenizer", "network", "pretrain", "whole_folder", "wrap_tokenizer"]

TURNS = ("<|system|>", "<|user|>", "<|assistant|>")
END, PAD = "<|end|>", "<|pad|>"
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
"""One token opens a turn and one ends an answer: a small model on a CPU pays for every token."""


def byte_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """A byte-level BPE tokenizer learned from `texts`, with the chat template.

    Args:
        texts: learned from in order; the same texts give the same tokenizer.
        vocabulary: how many tokens at most, the six special ones included.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, END, *TURNS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    return wrap_tokenizer(core)


def wrap_tokenizer(core: Any) -> Any:
    """A `tokenizers.Tokenizer` that knows the special tokens, as transformers wants it."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=list(TURNS),
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def network(tokenizer: Any, hidden: int, layers: int, seed: int) -> Any:
    """A Qwen3 model with random weights: tied embeddings, heads of 32, feed-forward of 2 x hidden.

    Args:
        tokenizer: gives the vocabulary and the special tokens.
        hidden: width, a multiple of 32.
        layers: depth.
        seed: of the weights.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        num_key_value_heads=hidden // 32,
        head_dim=32,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
    )
    return Qwen3ForCausalLM(config)


def pretrain(model: Any, blocks: Iterator[NDArray[np.int64]], steps: int, lr: float) -> float:
    """Train on plain next-token prediction; AdamW, 5 % warmup, cosine to zero.

    Args:
        model: changed in place.
        blocks: token ids, each of shape (rows, width), padded on the right with the model's
            padding token, which is never a target; at least `steps` of them.
        steps: optimiser steps.
        lr: peak learning rate.

    Returns:
        The mean loss of the last tenth of the steps, in nats per token.
    """
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.99), weight_decay=0.01)
    warm, tail = max(1, steps // 20), max(1, steps // 10)
    losses = []
    model.train()
    for step in range(steps):
        share = max(0.0, (step - warm) / max(1, steps - warm))
        rate = lr * min(1.0, (step + 1) / warm) * (0.5 + 0.5 * math.cos(math.pi * share))
        for group in optimizer.param_groups:
            group["lr"] = rate
        ids = torch.from_numpy(next(blocks))
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), ids[:, 1:].flatten(), ignore_index=model.config.pad_token_id
        )
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(float(loss.detach()))
    model.eval()
    return sum(losses[-tail:]) / tail


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `target` when all went well.

    A build that is killed leaves a hidden folder beside `target`, never half of `target`; where
    two builds race, the first to end wins and the other's work is dropped.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield part
        part.chmod(0o755)
        try:
            os.rename(part, target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
