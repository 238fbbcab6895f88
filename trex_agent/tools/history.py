"""History: SQL over the tree, in memory, read-only, within a time and a size."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from pydantic import Field

from ft_bench.digest import canonical_json
from ft_bench.tree import Tree
from trex_agent.tools.toolbox import Arguments, Tool, ToolRefused

__all__ = ["HistoryQuery", "history_tool", "query"]

_SECONDS = 2.0
_MOST_ROWS = 50
_NODES = "id, parent, strategy, objective, status, verdict, value, fixed, broken, findings"
_VARIANTS = (
    "node, variant, value, failure, cause, rows, lr, samples, epochs, batch_size, max_length, "
    "lora_r, schedule, warmup, weight_decay, max_samples, ops, recipe"
)
_READS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, 33})
"""What a query may do; 33 is SQLITE_RECURSIVE, which the module has no name for."""
_REFUSED_FUNCTIONS = frozenset({"load_extension", "zeroblob", "randomblob", "readfile"})


class HistoryQuery(Arguments):
    """One SELECT."""

    sql: str = Field(
        min_length=6,
        max_length=2000,
        description=f"One SELECT over nodes({_NODES}) and variants({_VARIANTS}).",
    )


def history_tool(tree: Callable[[], Tree]) -> Tool:
    """The tool over whatever the tree is when it is used."""
    words = f"Query all nodes so far with SQL: tables nodes({_NODES}), variants({_VARIANTS})."
    return Tool("history", words, HistoryQuery, lambda q: query(tree(), q.sql), of_tree=True)


def query(tree: Tree, sql: str) -> str:
    """The rows of a SELECT as tab-separated lines, at most 50.

    Raises:
        ToolRefused: with the database's own words.
    """
    with closing(sqlite3.connect(":memory:")) as base:
        _fill(base, tree)
        base.set_authorizer(_allow)
        ends = time.monotonic() + _SECONDS
        base.set_progress_handler(lambda: int(time.monotonic() > ends), 10_000)
        try:
            cursor = base.execute(sql)
            rows = cursor.fetchmany(_MOST_ROWS + 1)
        except (sqlite3.Error, sqlite3.Warning) as cause:
            raise ToolRefused(f"history: {cause}.") from cause
        names = [column[0] for column in cursor.description or ()]
    lines = ["\t".join(names), *("\t".join(_cell(cell) for cell in row) for row in rows)]
    more = [f"(only the first {_MOST_ROWS} rows)"] if len(rows) > _MOST_ROWS else []
    return "\n".join([*lines[: _MOST_ROWS + 1], *more])


def _allow(action: int, first: str | None, second: str | None, *_: Any) -> int:
    refused = action not in _READS or second in _REFUSED_FUNCTIONS
    return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK


def _cell(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str("" if value is None else value)
    return " ".join(text.split())[:300]


def _fill(base: sqlite3.Connection, tree: Tree) -> None:
    for table, columns in (("nodes", _NODES), ("variants", _VARIANTS)):
        base.execute(f"CREATE TABLE {table} ({columns})")
        rows = _nodes(tree) if table == "nodes" else _variants(tree)
        marks = ", ".join("?" * (columns.count(",") + 1))
        base.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    base.commit()


def _nodes(tree: Tree) -> list[tuple[Any, ...]]:
    found = []
    for node in tree:
        said = node.diagnosis
        findings = "; ".join(finding.name for finding in said.findings) if said else ""
        found.append(
            (
                node.id,
                node.parent,
                node.plan.strategy,
                node.plan.objective,
                node.status,
                said.verdict if said else None,
                tree.value(node.id),
                said.fixed if said else None,
                said.broken if said else None,
                findings,
            )
        )
    return found


def _variants(tree: Tree) -> list[tuple[Any, ...]]:
    found = []
    for node in tree:
        for item in node.outcomes:
            scheme, failure = item.variant, item.failure
            found.append(
                (
                    node.id,
                    item.index,
                    item.score.value if item.score else None,
                    failure.failure if failure else None,
                    failure.cause if failure else None,
                    item.dataset.rows if item.dataset else None,
                    scheme.lr,
                    scheme.samples,
                    scheme.epochs,
                    scheme.batch_size,
                    scheme.max_length,
                    scheme.lora.r if scheme.lora else None,
                    scheme.schedule,
                    scheme.warmup,
                    scheme.weight_decay,
                    item.recipe.max_samples,
                    " ".join(step.op for step in item.recipe.steps),
                    json.dumps(json.loads(canonical_json(item.recipe))),
                )
            )
    return found
