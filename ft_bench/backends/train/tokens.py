"""Tokens: a training set as token ids, made once and cached by hash."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ft_bench.backends.models.loading import frame, tokenizer_hash
from ft_bench.digest import digest
from ft_bench.errors import JobFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["Tokens", "cached_tokens", "read_pairs", "tokenise"]

_FORMAT = 2


@dataclass(frozen=True, slots=True)
class Tokens:
    """Sequences laid end to end.

    Args:
        ids: token ids of all sequences, shape (total,).
        starts: where each sequence begins, and the total at the end, shape (rows + 1,).
        answers: how many tokens at the end of each sequence are supervised, shape (rows,).
        truncated: the share of rows whose prompt was cut.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    answers: NDArray[np.int32]
    truncated: float

    def __len__(self) -> int:
        return len(self.answers)

    def lengths(self) -> NDArray[np.int64]:
        """Tokens per sequence, shape (rows,)."""
        return np.diff(self.starts)

    def sequence(self, row: int) -> NDArray[np.int32]:
        """The token ids of one sequence."""
        return self.ids[self.starts[row] : self.starts[row + 1]]


def read_pairs(folder: str) -> tuple[list[str], list[str]]:
    """The prompts and answers of a saved dataset; rows where either is empty are left out.

    Raises:
        JobFailed: DATA_SCHEMA where a column is missing or is not text; DATA_EMPTY where no row
            is left; DATA_SOURCE where the folder holds no dataset.
    """
    from datasets import load_from_disk

    try:
        dataset = load_from_disk(folder)
    except (FileNotFoundError, ValueError) as cause:
        raise JobFailed("DATA_SOURCE", f"{folder!r} holds no saved dataset: {cause}") from cause
    except IndexError as cause:  # datasets saves an empty dataset and cannot load it again
        raise JobFailed("DATA_EMPTY", f"the dataset in {folder!r} has no rows") from cause
    columns = []
    for name in ("prompt", "answer"):
        if name not in dataset.column_names:
            found = ", ".join(dataset.column_names) or "none"
            raise JobFailed(
                "DATA_SCHEMA", f"the dataset has no column {name!r}; its columns are {found}"
            )
        kind = getattr(dataset.features[name], "dtype", "nested")
        if len(dataset) and kind not in ("string", "large_string"):
            raise JobFailed("DATA_SCHEMA", f"column {name!r} is {kind}, expected string")
        columns.append(dataset[name][:])
    pairs = [(prompt, answer) for prompt, answer in zip(*columns, strict=True) if prompt and answer]
    if not pairs:
        raise JobFailed("DATA_EMPTY", f"none of {len(dataset)} rows has a prompt and an answer")
    prompts, answers = zip(*pairs, strict=True)
    return list(prompts), list(answers)


def tokenise(tokenizer: Any, prompts: list[str], answers: list[str], max_length: int) -> Tokens:
    """Prompt in the chat template, answer, end of sequence.

    The prompt is tokenised by itself, so that the model sees in training exactly what it sees when
    it is asked. A sequence over `max_length` loses the middle of its prompt, and never the answer;
    a row whose answer alone is too long is left out.

    Raises:
        JobFailed: DATA_EMPTY where no row fits.
    """
    plain = {"add_special_tokens": False, "return_attention_mask": False}
    heads = tokenizer(frame(tokenizer, prompts), **plain)["input_ids"]
    tails = tokenizer(answers, **plain)["input_ids"]
    pieces, kept, cut = [], [], 0
    for head, tail in zip(heads, tails, strict=True):
        room = max_length - len(tail) - 1
        if room < 1:
            continue
        if len(head) > room:
            cut += 1
            head = head[: room - room // 2] + head[len(head) - room // 2 :]
        pieces.append(head + tail + [tokenizer.eos_token_id])
        kept.append(len(tail) + 1)
    if not pieces:
        raise JobFailed(
            "DATA_EMPTY", f"no answer of {len(answers)} rows fits into max_length {max_length}"
        )
    return Tokens(
        ids=np.fromiter(_flat(pieces), dtype=np.int32),
        starts=np.cumsum([0, *map(len, pieces)], dtype=np.int64),
        answers=np.asarray(kept, dtype=np.int32),
        truncated=cut / len(pieces),
    )


def _flat(pieces: list[list[int]]) -> Iterable[int]:
    return (token for piece in pieces for token in piece)


def cached_tokens(
    tokenizer: Any, dataset: str, dataset_hash: str, max_length: int, cache: Path
) -> Tokens:
    """The tokens of a dataset, from `cache` where an earlier job has made them.

    The key is the hash of dataset, tokenizer, template and `max_length`. A file appears whole or
    not at all, so jobs that race for it do the work twice and harm nothing.

    Raises:
        JobFailed: as `read_pairs` and `tokenise`.
    """
    key = digest([_FORMAT, dataset_hash, tokenizer_hash(tokenizer), max_length])
    path = cache / f"{key[:32]}.npz"
    if path.exists():
        with np.load(path) as stored:
            return Tokens(
                stored["ids"], stored["starts"], stored["answers"], float(stored["truncated"])
            )
    tokens = tokenise(tokenizer, *read_pairs(dataset), max_length)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=cache, suffix=".part", delete=False) as stream:
        np.savez(
            stream,
            ids=tokens.ids,
            starts=tokens.starts,
            answers=tokens.answers,
            truncated=tokens.truncated,
        )
    os.replace(stream.name, path)
    return tokens
