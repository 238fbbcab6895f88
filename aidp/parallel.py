"""Parallel: one function over many items in several processes, answers in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")
LEAST_PER_PROCESS = 2_000


def map_chunks(
    function: Callable[[Sequence[Item]], list[Answer]],
    items: Sequence[Item],
    *,
    num_proc: int,
) -> list[Answer]:
    """`function` of consecutive chunks of `items`, put end to end.

    The answer does not depend on `num_proc`. Few items are worked on here, without a process.

    Args:
        function: Of a module, so that another process finds it; answers one per item.
        items: What to work on.
        num_proc: Processes to use at most.
    """
    processes = min(num_proc, len(items) // LEAST_PER_PROCESS)
    if processes < 2:
        return function(items)
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    size = -(-len(items) // processes)
    chunks = [items[start : start + size] for start in range(0, len(items), size)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        return [answer for part in pool.map(function, chunks) for answer in part]
