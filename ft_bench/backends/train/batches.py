"""Batches: which sequences share an optimiser step, and how a batch becomes tensors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ft_bench.backends.train.tokens import Tokens

__all__ = ["LengthBatches", "RowNumbers", "flatten", "pad_left"]

_POOL = 32
"""Batches per pool: rows are sorted by length inside a pool, so that shuffling stays broad."""

IGNORED = -100


class RowNumbers(torch.utils.data.Dataset[int]):
    """The rows 0 to `size` - 1, as a dataset of their own numbers; the collator fetches them."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, row: int) -> int:
        return row


class LengthBatches:
    """A batch sampler that puts sequences of similar length together, in a new order each epoch.

    The rows of an optimiser step do not depend on the micro-batch: halving it changes how much
    memory a step takes and not what is learned.

    Args:
        lengths: tokens per sequence, shape (rows,).
        batch_size: sequences per optimiser step.
        micro_batch: the most sequences of a forward pass.
        seed: of the order; the order of an epoch depends on seed and epoch alone.
    """

    def __init__(
        self, lengths: NDArray[np.int64], batch_size: int, micro_batch: int, seed: int
    ) -> None:
        self.lengths, self.batch_size, self.micro_batch = lengths, batch_size, micro_batch
        self.seed, self.epoch = seed, 0

    def __len__(self) -> int:
        full, rest = divmod(len(self.lengths), self.batch_size)
        return full * math.ceil(self.batch_size / self.micro_batch) + math.ceil(
            rest / self.micro_batch
        )

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        self.epoch += 1
        for batch in self._batches(rng):
            for start in range(0, len(batch), self.micro_batch):
                yield batch[start : start + self.micro_batch].tolist()

    def _batches(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        order = rng.permutation(len(self.lengths))
        pool = self.batch_size * _POOL
        batches: list[NDArray[np.int64]] = []
        for start in range(0, len(order), pool):
            rows = order[start : start + pool]
            rows = rows[np.argsort(-self.lengths[rows], kind="stable")]
            batches += [rows[i : i + self.batch_size] for i in range(0, len(rows), self.batch_size)]
        # The one short batch stays last: accumulation counts micro-batches from the epoch's start.
        whole = len(batches) - (len(batches[-1]) < self.batch_size)
        return [batches[i] for i in rng.permutation(whole)] + batches[whole:]


def pad_left(tokens: Tokens, rows: list[int], pad_id: int) -> dict[str, Any]:
    """A batch with padding on the left: answers end in the same column, as in generation.

    Returns:
        `input_ids`, `attention_mask`, `position_ids` and `labels`, each of shape (rows, width);
        labels are -100 except on the answer and its end of sequence.
    """
    pieces = [tokens.sequence(row) for row in rows]
    shape = len(rows), max(map(len, pieces))
    ids = np.full(shape, pad_id, dtype=np.int64)
    mask = np.zeros(shape, dtype=np.int64)
    positions = np.zeros(shape, dtype=np.int64)
    labels = np.full(shape, IGNORED, dtype=np.int64)
    for line, (row, piece) in enumerate(zip(rows, pieces, strict=True)):
        answer = int(tokens.answers[row])
        ids[line, -len(piece) :] = piece
        mask[line, -len(piece) :] = 1
        positions[line, -len(piece) :] = np.arange(len(piece))
        labels[line, -answer:] = piece[-answer:]
    arrays = {"input_ids": ids, "attention_mask": mask, "position_ids": positions, "labels": labels}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def flatten(tokens: Tokens, rows: list[int]) -> dict[str, Any]:
    """A batch packed into one line without padding; positions restart with each sequence.

    Returns:
        `input_ids`, `position_ids` and `labels`, each of shape (1, total).
    """
    pieces = [tokens.sequence(row) for row in rows]
    ids = np.concatenate(pieces).astype(np.int64)
    positions = np.concatenate([np.arange(len(piece)) for piece in pieces])
    labels = np.full(len(ids), IGNORED, dtype=np.int64)
    end = 0
    for row, piece in zip(rows, pieces, strict=True):
        end += len(piece)
        answer = int(tokens.answers[row])
        labels[end - answer : end] = piece[-answer:]
    arrays = {"input_ids": ids, "position_ids": positions, "labels": labels}
    return {name: torch.from_numpy(array[None]) for name, array in arrays.items()}
