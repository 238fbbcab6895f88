"""Paper: the published rows of Table 3 (arXiv 2604.14116), as rows beside a board's own.

They come without predictions, so their intervals are what the number of test items alone allows.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from ft_bench import registry
from ft_bench.errors import DataMissing, UnknownName
from ft_bench.record import Interval
from ft_bench.report.standing import Standing
from ft_bench.stats import gain, wilson

__all__ = ["published_rows"]

_HOMES = (Path(__file__).with_name("published"), Path(__file__).parents[2] / "results" / "paper")


def published_rows(name: str) -> dict[str, list[Standing]]:
    """Published rows by task.

    Args:
        name: which publication; "paper" is TREX's Table 3.

    Raises:
        UnknownName: for any other.
    """
    if name != "paper":
        raise UnknownName("publication", name, ["paper"], "ft-bench leaderboard --against paper")
    return {row["task"]: _rows(row) for row in _table()["rows"]}


@cache
def _table() -> dict[str, Any]:
    for home in _HOMES:
        if (home / "table3.json").exists():
            found: dict[str, Any] = json.loads((home / "table3.json").read_text("utf-8"))
            return found
    raise DataMissing(f"table3.json is in none of {[str(home) for home in _HOMES]}; reinstall")


def _rows(row: dict[str, Any]) -> list[Standing]:
    base, reference = row["base"], row["reference"]
    n = registry.task(row["task"]).splits.test
    rows = [("base", base), ("reference", reference), *row["scores"].items()]
    return [_standing(name, score, base, reference, n) for name, score in rows]


def _standing(name: str, score: float, base: float, reference: float, n: int) -> Standing:
    found = wilson(score * n, n)
    ci = found.model_copy(update={"method": f"wilson from {n:,} items alone"})
    ends = sorted(gain(end, base, reference) for end in (ci.low, ci.high))
    shift = {"low": ci.low - base, "high": ci.high - base}
    return Standing(
        kind="published",
        name=f"paper: {name}",
        score=score,
        score_ci=ci,
        delta=score - base,
        delta_ci=ci.model_copy(update=shift),
        gain=gain(score, base, reference),
        gain_ci=Interval(low=ends[0], high=ends[1], method=ci.method),
        weak=abs(reference - base) < ci.high - ci.low,
        status="published",
    )
