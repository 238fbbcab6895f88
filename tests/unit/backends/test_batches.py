"""Batches: every row once an epoch, the same steps for any micro-batch, tensors as generation."""

from __future__ import annotations

import numpy as np
import pytest

from ft_bench.backends.train.batches import IGNORED, LengthBatches, flatten, pad_left
from ft_bench.backends.train.tokens import Tokens

LENGTHS = np.random.default_rng(0).integers(3, 40, size=1003)
TOKENS = Tokens(
    ids=np.arange(9, dtype=np.int32) + 10,
    starts=np.array([0, 4, 9]),
    answers=np.array([2, 1], dtype=np.int32),
    truncated=0.0,
)


@pytest.mark.parametrize("micro", [32, 16, 5, 1])
def test_every_row_comes_once_an_epoch_and_len_is_true(micro: int) -> None:
    batches = LengthBatches(LENGTHS, batch_size=32, micro_batch=micro, seed=1)
    made = list(batches)
    assert sorted(row for batch in made for row in batch) == list(range(1003))
    assert len(made) == len(batches)
    assert max(map(len, made)) == micro


def test_a_step_has_the_same_rows_whatever_the_micro_batch() -> None:
    whole = list(LengthBatches(LENGTHS, 32, 32, seed=1))
    parts = list(LengthBatches(LENGTHS, 32, 16, seed=1))
    assert [parts[2 * i] + parts[2 * i + 1] for i in range(len(whole) - 1)] == whole[:-1]
    assert len(whole[-1]) == 1003 % 32


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    one, same, other = (LengthBatches(LENGTHS, 32, 32, seed) for seed in (1, 1, 2))
    first, second = list(one), list(one)
    assert first != second
    assert [list(same), list(same)] == [first, second]
    assert list(other) != first


def test_grouping_by_length_saves_most_of_the_padding() -> None:
    def padded(batches: list[list[int]]) -> int:
        return sum(len(batch) * max(LENGTHS[batch]) for batch in batches)

    rows = np.arange(1003).tolist()
    plain = [rows[i : i + 32] for i in range(0, 1003, 32)]
    grouped = list(LengthBatches(LENGTHS, 32, 32, seed=1))
    waste = padded(grouped) / LENGTHS.sum() - 1
    assert waste < 0.2 * (padded(plain) / LENGTHS.sum() - 1)


def test_padding_is_on_the_left_and_only_answers_are_supervised() -> None:
    batch = pad_left(TOKENS, [0, 1], pad_id=0)
    assert batch["input_ids"].tolist() == [[0, 10, 11, 12, 13], [14, 15, 16, 17, 18]]
    assert batch["attention_mask"].tolist() == [[0, 1, 1, 1, 1], [1, 1, 1, 1, 1]]
    assert batch["position_ids"].tolist() == [[0, 0, 1, 2, 3], [0, 1, 2, 3, 4]]
    assert batch["labels"].tolist() == [[IGNORED] * 3 + [12, 13], [IGNORED] * 4 + [18]]


def test_packing_lays_sequences_end_to_end_and_restarts_positions() -> None:
    batch = flatten(TOKENS, [1, 0])
    assert batch["input_ids"].tolist() == [[14, 15, 16, 17, 18, 10, 11, 12, 13]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 4, 0, 1, 2, 3]]
    assert batch["labels"].tolist() == [[IGNORED] * 4 + [18] + [IGNORED] * 2 + [12, 13]]
