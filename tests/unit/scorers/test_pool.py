"""The pool gives the same scores in the same order, and reads its pairs as it needs them."""

from __future__ import annotations

from collections.abc import Iterator

from rows import ROWS, SCORERS

from ft_bench.protocols import Row
from ft_bench_scorers.pool import CHUNK_ITEMS, score_stream

ROW = ROWS["tomg_bench"][1]


def pairs(count: int) -> Iterator[tuple[Row, str]]:
    for at in range(count):
        yield {**ROW, "id": str(at)}, ROW["answer"] if at % 2 else "C"


def test_processes_change_nothing() -> None:
    count = CHUNK_ITEMS * 3 + 1
    alone = list(score_stream(SCORERS["tomg_bench"], pairs(count), processes=1))
    together = list(score_stream(SCORERS["tomg_bench"], pairs(count), processes=2))
    assert [item.id for item in together] == [str(at) for at in range(count)]
    assert together == alone


def test_pairs_are_read_as_they_are_needed() -> None:
    read = 0

    def counted() -> Iterator[tuple[Row, str]]:
        nonlocal read
        for pair in pairs(CHUNK_ITEMS * 10):
            read += 1
            yield pair

    stream = score_stream(SCORERS["tomg_bench"], counted(), processes=1)
    next(stream)
    assert read == CHUNK_ITEMS


def test_nothing_gives_nothing() -> None:
    assert list(score_stream(SCORERS["tomg_bench"], iter(()), processes=1)) == []
