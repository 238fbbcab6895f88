"""Headline: what an agent reached over the tasks of a suite: median gain, mean rank, tasks k/n."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median

from pydantic import BaseModel, ConfigDict

from ft_bench.report.standing import Standing
from ft_bench.stats import ranks

__all__ = ["Headline", "headlines"]


class Headline(BaseModel):
    """One agent on one suite. `rank` is None where tasks are missing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str
    conditions: tuple[str, ...]
    name: str
    tasks: int
    of: int
    median_gain: float | None
    mean_rank: float | None
    weak: int = 0
    rank: float | None = None


def headlines(
    suite: str,
    tasks: Sequence[str],
    conditions: tuple[str, ...],
    found: Mapping[str, Mapping[str, Standing]],
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
            rows.append(_headline(suite, conditions, name, have, len(tasks)))
    return _placed(rows)


def _headline(
    suite: str, conditions: tuple[str, ...], name: str, have: Sequence[Standing], of: int
) -> Headline:
    gains = [row.gain for row in have if row.gain is not None]
    places = [row.rank for row in have if row.rank is not None]
    return Headline(
        suite=suite,
        conditions=conditions,
        name=name,
        tasks=len(have),
        of=of,
        median_gain=median(gains) if gains else None,
        mean_rank=fmean(places) if places else None,
        weak=sum(row.weak for row in have),
    )


def _placed(rows: Sequence[Headline]) -> list[Headline]:
    """Complete suites ranked, best first; then the incomplete, most tasks first."""
    complete = [row for row in rows if row.tasks == row.of and row.median_gain is not None]
    places = ranks([row.median_gain or 0.0 for row in complete]) if complete else []
    placed = [
        row.model_copy(update={"rank": place}) for row, place in zip(complete, places, strict=True)
    ]
    placed.sort(key=lambda row: (row.rank or 0.0, row.name))
    rest = [row for row in rows if row not in complete]
    return [*placed, *sorted(rest, key=lambda row: (-row.tasks, row.name))]
