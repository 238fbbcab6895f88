"""Rows that several tests of AIDP work on."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from datasets import Dataset

WORDS = [f"word{i}" for i in range(2_000)]


def sentence(draw: random.Random, least: int = 5, most: int = 40) -> str:
    return " ".join(draw.choices(WORDS, k=draw.randint(least, most)))


@pytest.fixture
def chat_rows() -> Callable[..., Dataset]:
    """Make `n` rows of id, prompt, answer, source and label, the same for the same seed."""

    def make(n: int, seed: int = 0) -> Dataset:
        draw = random.Random(seed)
        return Dataset.from_list(
            [
                {
                    "id": f"r{i}",
                    "prompt": sentence(draw),
                    "answer": draw.choice(["positive", "negative"]),
                    "source": draw.choice(["a", "b", "c"]),
                    "label": draw.randint(0, 1),
                }
                for i in range(n)
            ]
        )

    return make
