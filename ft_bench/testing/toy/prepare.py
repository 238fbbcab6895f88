"""Toy's rows: made up from a fixed seed, with faults of which there are as many as written here."""

from __future__ import annotations

from random import Random
from typing import Any

from ft_bench.protocols import RowReader, TaskData

__all__ = ["CONFLICTS", "COPIES", "ODD_FORMATS", "REPEATS", "prepare"]

REPEATS, CONFLICTS, ODD_FORMATS, COPIES = 12, 10, 8, 6
_ANSWERS = ("negative", "positive")
_WORDS = ("film", "plot", "scene", "cast", "music", "camera", "end", "joke", "story", "light")
_TELLING = {"positive": ("good", "fine", "bright"), "negative": ("bad", "dull", "flat")}


def prepare(source: RowReader) -> TaskData:
    """Three splits; only the training split has faults."""
    rng = Random(7)
    clean, validation, test = (
        [_row(rng, split, index) for index in range(count)]
        for split, count in (("train", 200), ("validation", 60), ("test", 80))
    )
    return TaskData(
        train=[row | {"source": "edited"} for row in clean] + _faults(clean, validation),
        validation=validation,
        test=test,
    )


def _row(rng: Random, split: str, index: int) -> dict[str, Any]:
    answer = rng.choice(_ANSWERS)
    words = [rng.choice(_WORDS) for _ in range(rng.randint(5, 12))]
    words[rng.randrange(len(words))] = rng.choice(_TELLING[answer])
    prompt = f"Review {split} {index}: {' '.join(words)}"
    return {"id": f"{split}-{index}", "prompt": prompt, "answer": answer}


def _faults(clean: list[dict[str, Any]], validation: list[dict[str, Any]]) -> list[dict[str, Any]]:
    other = {"positive": "negative", "negative": "positive"}
    repeats = clean[:REPEATS]
    conflicts = [row | {"answer": other[row["answer"]]} for row in clean[20 : 20 + CONFLICTS]]
    odd = [
        row | {"answer": f"It is {row['answer']}.", "prompt": f"{row['prompt']} again"}
        for row in clean[40 : 40 + ODD_FORMATS]
    ]
    copies = validation[:COPIES]
    return [
        row | {"id": f"fault-{index}", "source": "crawled"}
        for index, row in enumerate([*repeats, *conflicts, *odd, *copies])
    ]
