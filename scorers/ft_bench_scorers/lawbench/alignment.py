"""Alignment: every cheapest way to turn a source sentence into a target, character by character.

Operations are M (equal), S (substitute), I (insert), D (delete) and T (a run whose characters
change places). Costs: 1 for I and D, the lexicon's for S, k for a transposition of k + 1
characters. Ways are kept as groups of operations rather than one by one, because most of them
differ in nothing that a group shows.
"""

from __future__ import annotations

from typing import NamedTuple

from ft_bench_scorers.lawbench.lexicon import Lexicon

__all__ = ["MAX_WAYS", "Group", "Table", "groupings", "table_of"]

MAX_WAYS = 30_000
"""More ways than this and upstream's time limit ends it; the sentence is then not scored as is."""


class Table(NamedTuple):
    """Costs and operations of every cell; a transposition of n characters is the number n."""

    ops: list[list[tuple[str | int, ...]]]


class Group(NamedTuple):
    """A run of operations: source[i0:i1] becomes target[j0:j1]."""

    kind: str
    i0: int
    i1: int
    j0: int
    j1: int


def _transposition(source: str, target: str, costs: list[list[float]], i: int, j: int) -> int:
    """Length of the shortest run ending at characters i and j that is a permutation, 0 for none.

    The run may not reach over a pair of equal characters.
    """
    balance: dict[str, int] = {}
    unequal = 0
    for k in range(min(i, j) + 1):
        if k and costs[i - k + 1][j - k + 1] == costs[i - k][j - k]:
            return 0
        for character, by in ((source[i - k], 1), (target[j - k], -1)):
            before = balance.get(character, 0)
            balance[character] = before + by
            unequal += (before + by != 0) - (before != 0)
        if k and not unequal:
            return k + 1
    return 0


class _Pair:
    """Two sentences and what is asked about them again and again."""

    def __init__(self, source: str, target: str, lexicon: Lexicon) -> None:
        self.source, self.target = source, target
        self.first_in_source = {one: at for at, one in reversed(list(enumerate(source)))}
        self.first_in_target = {one: at for at, one in reversed(list(enumerate(target)))}
        self.substitutions = {
            one: [0.0 if one == other else lexicon.cost(one, other) for other in target]
            for one in set(source)
        }

    def may_transpose(self, i: int, j: int) -> bool:
        """Whether each of the characters i and j stands earlier in the other sentence."""
        return (
            self.first_in_target.get(self.source[i], j) < j
            and self.first_in_source.get(self.target[j], i) < i
        )


_OPS: tuple[tuple[str | int, ...], ...] = tuple(
    tuple(op for op, bit in (("S", 4), ("I", 2), ("D", 1)) if chosen & bit) for chosen in range(8)
)


def _fill_row(pair: _Pair, costs: list[list[float]], i: int) -> list[tuple[str | int, ...]]:
    """Fill the costs of row i + 1 from the row above; the operations of its cells."""
    source, target = pair.source, pair.target
    above, row = costs[i], costs[i + 1]
    substitutions = pair.substitutions[source[i]]
    ops: list[tuple[str | int, ...]] = [("D",)]
    for j, other in enumerate(target):
        if source[i] == other:
            row[j + 1] = above[j]
            ops.append(("M",))
            continue
        substitute, insert, delete = above[j] + substitutions[j], row[j] + 1.0, above[j + 1] + 1.0
        best = min(substitute, insert, delete)
        run, moved = 0, 0.0
        if pair.may_transpose(i, j):
            run = _transposition(source, target, costs, i, j)
            moved = costs[i + 1 - run][j + 1 - run] + (run - 1)  # as upstream rounds
            best = min(best, moved) if run else best
        row[j + 1] = best
        plain = _OPS[(substitute == best) * 4 + (insert == best) * 2 + (delete == best)]
        ops.append((run, *plain) if run and moved == best else plain)
    return ops


def table_of(source: str, target: str, lexicon: Lexicon) -> Table:
    """The cheapest operations of every cell, in the order T, S, I, D."""
    height, width = len(source), len(target)
    pair = _Pair(source, target, lexicon)
    costs = [[float(i + j) for j in range(width + 1)] for i in range(height + 1)]
    first: list[tuple[str | int, ...]] = [(), *[("I",)] * width]
    return Table([first, *(_fill_row(pair, costs, i) for i in range(height))])


def _step(op: str | int) -> tuple[int, int]:
    if isinstance(op, int):
        return op, op
    return int(op != "I"), int(op != "D")


def _wanted(table: Table, height: int, width: int, first_only: bool) -> list[tuple[int, int]]:
    """The cells that some way from the end passes, in an order in which ways run forward."""
    seen = {(height, width)}
    stack = [(height, width)]
    while stack:
        i, j = stack.pop()
        ops = table.ops[i][j]
        for op in ops[:1] if first_only else ops:
            di, dj = _step(op)
            cell = (i - di, j - dj)
            if cell not in seen:
                seen.add(cell)
                stack.append(cell)
    return sorted(seen)


_Way = tuple[tuple[Group, ...], str, int, int]
"""Closed groups, the open run's kind ("" for none), and where it starts in source and target."""


def _extend(way: _Way, op: str | int, i: int, j: int) -> _Way:
    """The way after `op`, which starts at source i and target j."""
    closed, kind, i0, j0 = way
    if isinstance(op, int) or (op == "M") != (kind == "M") or not kind:
        closed = close(way, i, j)
        if isinstance(op, int):
            return (*closed, Group("T", i, i + op, j, j + op)), "", i + op, j + op
        return closed, op, i, j
    if op == "M" or kind == "S":
        return way
    if op == "S" or (op == kind[-1] and len(set(kind)) == 1):
        return closed, "S" if op == "S" else kind, i0, j0
    return closed, kind + op, i0, j0


def close(way: _Way, i: int, j: int) -> tuple[Group, ...]:
    """The groups of a way whose open run ends before source i and target j."""
    closed, kind, i0, j0 = way
    if not kind:
        return closed
    if len(set(kind)) == 1:
        return (*closed, Group(kind[0], i0, i, j0, j))
    singles = []
    for op in kind:
        di, dj = _step(op)
        singles.append(Group(op, i0, i0 + di, j0, j0 + dj))
        i0, j0 = i0 + di, j0 + dj
    return (*closed, *singles)


def groupings(table: Table, height: int, width: int) -> set[tuple[Group, ...]] | None:
    """The distinct groupings of all cheapest ways, None where there are over MAX_WAYS ways.

    Where the sentences differ by more than ten characters only the first operation counts.
    """
    first_only = abs(height - width) > 10
    ways: dict[tuple[int, int], set[_Way]] = {(0, 0): {((), "", 0, 0)}}
    counts = {(0, 0): 1}
    for i, j in _wanted(table, height, width, first_only):
        if (i, j) == (0, 0):
            continue
        here: set[_Way] = set()
        ops = table.ops[i][j]
        total = 0
        for op in ops[:1] if first_only else ops:
            di, dj = _step(op)
            before = (i - di, j - dj)
            total += counts[before]
            if total > MAX_WAYS:
                return None
            here.update(_extend(way, op, *before) for way in ways[before])
        ways[i, j], counts[i, j] = here, total
    return {close(way, height, width) for way in ways[height, width]}
