"""Loading: a ModelRef to a model, its tokenizer and the template that frames a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ft_bench.digest import digest
from ft_bench.job import ModelRef

__all__ = ["frame", "has_cuda", "load_model", "load_tokenizer", "template_hash", "tokenizer_hash"]


def has_cuda() -> bool:
    """Whether this process may use a GPU."""
    import torch

    return bool(torch.cuda.is_available())


def load_tokenizer(ref: ModelRef) -> Any:
    """The tokenizer of the base, with a padding token and padding on the left."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(ref.base)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return tokenizer


def load_model(ref: ModelRef, dtype: str, trainable: bool = False) -> Any:
    """The base model, or base and adapter.

    Args:
        ref: what to load.
        dtype: a torch dtype's name ("float32", "bfloat16").
        trainable: keep the adapter apart, so that it can be trained on; else it is merged in,
            which makes generation as fast as that of the base.

    Returns:
        A `PreTrainedModel` or, trainable with an adapter, a `PeftModel`; on the CPU.
    """
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(ref.base, dtype=dtype)
    if ref.adapter is None:
        return model
    from peft import PeftModel

    model = PeftModel.from_pretrained(model, ref.adapter, is_trainable=trainable)
    # Merging leaves the base frozen, as the adapter's training had it.
    return model if trainable else model.merge_and_unload().requires_grad_(True)


def frame(tokenizer: Any, prompts: Sequence[str]) -> list[str]:
    """Each prompt as one user turn of the chat template, ready for the assistant's answer.

    A tokenizer without a template gets the prompt and a line break. Thinking is switched off where
    a template knows the switch.
    """
    if not tokenizer.chat_template or not prompts:
        return [f"{prompt}\n" for prompt in prompts]
    framed: list[str] = tokenizer.apply_chat_template(
        [[{"role": "user", "content": prompt}] for prompt in prompts],
        tokenize=False,
        add_generation_prompt=True,
        enable_thinking=False,
    )
    return framed


def template_hash(tokenizer: Any) -> str:
    """The first 8 hexadecimal digits of the sha256 of the chat template."""
    return digest(tokenizer.chat_template or "")[:8]


def tokenizer_hash(tokenizer: Any) -> str:
    """A hash of everything that turns text into token ids: the vocabulary and the template."""
    return digest([tokenizer.backend_tokenizer.to_str(), tokenizer.chat_template or ""])
