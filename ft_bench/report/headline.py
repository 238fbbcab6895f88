"""Headline: what an agent reached over the tasks of a suite: median gain, mean rank, tasks k/n."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ft_bench.draws import superiority
from ft_bench.record import Interval
from ft_bench.report.contest import Row
from ft_bench.stats import bootstrap

__all__ = ["Headline", "headlines"]

Floats = NDArray[np.float64]


class Headline(BaseModel):
    """One agent on one suite. `rank` is None where tasks are missing; ranks as in a Standing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str
    conditions: tuple[str, ...]
    name: str
    tasks: int
    of: int
    median_gain: float | None
    gain_ci: Interval | None = None
    mean_rank: float | None
    weak: int = 0
    rank: float | None = None
    rank_low: int | None = None
    rank_high: int | None = None


def headlines(
    suite: str,
    tasks: Sequence[str],
    conditions: tuple[str, ...],
    found: Mapping[str, Mapping[str, Row]],
) -> list[Headline]:
    """The agents that have at least two tasks of a suite; complete ones ranked by median gain.

    Args:
        suite: its name.
        tasks: that it has.
        conditions: what all rows in `found` share.
        found: an agent's rows by task, by the agent's name; a task that must not be ranked is
            not in it.
    """
    rows = []
    for name, by_task in found.items():
        have = [by_task[task] for task in tasks if task in by_task]
        if len(have) >= 2:
            draws = _median_draws(have)
            rows.append((_headline(suite, conditions, name, have, len(tasks), draws), draws))
    return _placed(rows)


def _median_draws(rows: Sequence[Row]) -> Floats | None:
    """Draws of the median gain over tasks, shape (B,); None where no task has a gain."""
    gains = [row.gain for row in rows if row.gain is not None]
    return np.median(np.stack(gains), axis=0) if gains else None


def _headline(
    suite: str,
    conditions: tuple[str, ...],
    name: str,
    have: Sequence[Row],
    of: int,
    draws: Floats | None,
) -> Headline:
    gains = [row.standing.gain for row in have if row.standing.gain is not None]
    places = [row.standing.rank for row in have if row.standing.rank is not None]
    finite = draws[np.isfinite(draws)] if draws is not None else np.empty(0)
    return Headline(
        suite=suite,
        conditions=conditions,
        name=name,
        tasks=len(have),
        of=of,
        median_gain=median(gains) if gains else None,
        gain_ci=bootstrap(finite, method="bootstrap of the median") if len(finite) else None,
        mean_rank=fmean(places) if places else None,
        weak=sum(row.standing.weak for row in have),
    )


def _placed(rows: Sequence[tuple[Headline, Floats | None]]) -> list[Headline]:
    """Complete suites ranked, best first; then the incomplete, most tasks first."""
    complete = [(row, draws) for row, draws in rows if row.tasks == row.of and draws is not None]
    places = superiority([draws for _, draws in complete])
    placed = [
        row.model_copy(
            update={"rank": (low + high) / 2, "rank_low": low, "rank_high": high},
        )
        for (row, _), (low, high) in zip(complete, places, strict=True)
    ]
    placed.sort(key=lambda row: (row.rank or 0.0, -(row.median_gain or 0.0), row.name))
    done = {row.name for row in placed}
    rest = [row for row, _ in rows if row.name not in done]
    return [*placed, *sorted(rest, key=lambda row: (-row.tasks, row.name))]
