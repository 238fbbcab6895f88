"""Transformers engine: the entry point `generate.transformers`; batched greedy generation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ft_bench.backends.models.loading import (
    frame,
    has_cuda,
    load_model,
    load_tokenizer,
    template_hash,
)

if TYPE_CHECKING:
    from ft_bench.job import EvaluateJob, ModelRef

__all__ = ["generate"]


def generate(model: ModelRef, prompts: Sequence[str], job: EvaluateJob) -> tuple[list[str], str]:
    """Greedy outputs of `model`, with its chat template applied to each prompt.

    Prompts are sorted by length and padded on the left, `job.batch_size` at a time; a batch ends
    when all its rows have ended. In float32 the outputs are those of one prompt at a time, except
    where two tokens' logits differ by less than the rounding of a sum (about 1e-5), when either
    may win.

    Args:
        model: the base, or base and adapter.
        prompts: what to ask, before the chat template.
        job: `max_new_tokens`, `batch_size` and `threads` are used.

    Returns:
        The outputs in the order of `prompts`, without special tokens and outer blanks, and the
        profile: engine, dtype, batch size, template, decoding, most new tokens.
    """
    import torch
    import transformers

    torch.set_num_threads(job.threads)
    dtype = "bfloat16" if has_cuda() else "float32"
    tokenizer = load_tokenizer(model)
    network = load_model(model, dtype).eval()
    if has_cuda():
        network = network.cuda()
    version = ".".join(transformers.__version__.split(".")[:2])
    profile = (
        f"transformers-{version}/{dtype}/bs{job.batch_size}/template:{template_hash(tokenizer)}"
        f"/greedy/max{job.max_new_tokens}"
    )
    framed = frame(tokenizer, prompts)
    ids = tokenizer(framed, add_special_tokens=False)["input_ids"] if framed else []
    order = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
    outputs = [""] * len(ids)
    options = _greedy(network, tokenizer, job.max_new_tokens)
    with torch.inference_mode():
        for start in range(0, len(order), job.batch_size):
            rows = order[start : start + job.batch_size]
            texts = _batch(network, tokenizer, [ids[row] for row in rows], options)
            for row, text in zip(rows, texts, strict=True):
                outputs[row] = text
    return outputs, profile


def _greedy(network: Any, tokenizer: Any, max_new_tokens: int) -> Any:
    """Decoding options made afresh, so that no sampling default of the model slips in."""
    from transformers import GenerationConfig

    ends = network.generation_config.eos_token_id
    ends = [ends] if isinstance(ends, int) else list(ends or [])
    return GenerationConfig(
        do_sample=False,
        max_new_tokens=max_new_tokens,
        eos_token_id=sorted({*ends, tokenizer.eos_token_id}),
        pad_token_id=tokenizer.pad_token_id,
    )


def _batch(network: Any, tokenizer: Any, ids: list[list[int]], options: Any) -> list[str]:
    import torch

    width = max(map(len, ids))
    lines = [[tokenizer.pad_token_id] * (width - len(row)) + row for row in ids]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in ids]
    made = network.generate(
        input_ids=torch.tensor(lines, device=network.device),
        attention_mask=torch.tensor(mask, device=network.device),
        generation_config=options,
    )
    texts = tokenizer.batch_decode(made[:, width:], skip_special_tokens=True)
    return [text.strip() for text in texts]
