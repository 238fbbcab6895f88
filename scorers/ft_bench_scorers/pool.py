"""Pool: one scorer over many outputs in several processes, with memory flat in their number."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from ft_bench.protocols import ItemScore, Row, Scorer

__all__ = ["score_stream"]

CHUNK_ITEMS = 500

_Chunk = list[tuple[Row, str]]
_scorer: Any = None


def _start(scorer: Scorer) -> None:
    global _scorer
    _scorer = scorer


def _score(scorer: Scorer, chunk: _Chunk, parser: str) -> list[ItemScore]:
    rows, outputs = zip(*chunk, strict=True)
    return scorer.score_items(rows, outputs, parser=parser)


def _work(task: tuple[_Chunk, str]) -> list[ItemScore]:
    return _score(_scorer, *task)


def _chunks(pairs: Iterable[tuple[Row, str]]) -> Iterator[_Chunk]:
    source = iter(pairs)
    while chunk := list(islice(source, CHUNK_ITEMS)):
        yield chunk


def score_stream(
    scorer: Scorer,
    pairs: Iterable[tuple[Row, str]],
    *,
    parser: str = "strict",
    processes: int | None = None,
) -> Iterator[ItemScore]:
    """Score (row, output) pairs in their order, a few chunks at a time.

    Args:
        scorer: must pickle; the built-in ones do.
        pairs: read as they are needed, so they may come from a file.
        parser: one of the scorer's parsers.
        processes: how many to use; 1 scores in this process, None takes one per core.
    """
    processes = processes or os.cpu_count() or 1
    if processes == 1:
        for chunk in _chunks(pairs):
            yield from _score(scorer, chunk, parser)
        return
    from collections import deque
    from concurrent.futures import Future, ProcessPoolExecutor
    from multiprocessing import get_context

    waiting: deque[Future[list[ItemScore]]] = deque()
    with ProcessPoolExecutor(processes, get_context("spawn"), _start, (scorer,)) as pool:
        for chunk in _chunks(pairs):
            waiting.append(pool.submit(_work, (chunk, parser)))
            if len(waiting) > 2 * processes:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
