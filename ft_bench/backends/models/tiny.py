"""Tiny: `--base-model tiny`, a base of about half a million weights made from a task's own text.

`python -m ft_bench.backends.models.tiny TRAIN.jsonl FOLDER` builds it. It has read the prompts of
the training split, and has seen the answers in their place but drawn by chance from other rows:
so it speaks the format and answers at chance level.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from ft_bench.backends.models.scratch import byte_tokenizer, network, pretrain, whole_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["build_tiny_base", "main"]

_logger = logging.getLogger(__name__)
VOCABULARY = 4_096
HIDDEN, LAYERS = 64, 1
STEPS, LR = 400, 3e-3
ROWS, WIDTH = 8, 128
MOST_PROMPTS = 20_000


def build_tiny_base(
    prompts: Sequence[str],
    answers: Sequence[str],
    out: Path,
    seed: int = 0,
    steps: int | None = None,
) -> None:
    """Make a Qwen3-architecture base from a task's text; with one thread always the same bytes.

    Args:
        prompts: of the training split; the tokenizer and the model learn from their text.
        answers: of the same rows; shuffled before use, so that no row meets its own.
        out: the folder to make; it appears whole or not at all.
        seed: of the weights, the order and the answers.
        steps: optimiser steps of 8 x 128 tokens, by default 400.
    """
    import torch

    torch.set_num_threads(1)
    rng = Random(seed)
    chosen = rng.sample(range(len(prompts)), min(len(prompts), MOST_PROMPTS))
    texts = [prompts[row] for row in chosen]
    labels = [answers[row] for row in rng.sample(chosen, len(chosen))]
    tokenizer = byte_tokenizer([*texts, *labels], VOCABULARY)
    model = network(tokenizer, HIDDEN, LAYERS, seed)
    loss = pretrain(model, _blocks(tokenizer, texts, labels, rng), steps or STEPS, LR)
    _logger.info("%d parameters, loss %.3f", model.num_parameters(), loss)
    with whole_folder(out) as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _blocks(
    tokenizer: Any, texts: Sequence[str], labels: Sequence[str], rng: Random
) -> Iterator[NDArray[np.int64]]:
    """Blocks of shape (ROWS, WIDTH): half plain text, half the chat format with chance answers."""
    import numpy as np

    buffer: list[int] = []
    while True:
        while len(buffer) < ROWS * WIDTH:
            row = rng.randrange(len(texts))
            text = f"{texts[row]}<|end|>"
            if rng.random() < 0.5:
                text = f"<|user|>{texts[row]}<|assistant|>{rng.choice(labels)}<|end|>"
            buffer += tokenizer.encode(text, add_special_tokens=False)
        block, buffer = buffer[: ROWS * WIDTH], buffer[ROWS * WIDTH :]
        yield np.asarray(block, dtype=np.int64).reshape(ROWS, WIDTH)


def main(arguments: list[str]) -> int:
    """Build a base from a JSONL file of rows; 0 when the folder is there, 2 for usage."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m ft_bench.backends.models.tiny TRAIN.jsonl FOLDER\n")
        return 2
    with Path(arguments[0]).open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    prompts, answers = ([str(row[name]) for row in rows] for name in ("prompt", "answer"))
    build_tiny_base(prompts, answers, Path(arguments[1]))
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    sys.exit(main(sys.argv[1:]))
