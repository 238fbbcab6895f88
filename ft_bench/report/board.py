"""Board: cards put side by side; what cannot be compared stands in tables of its own.

A table holds the cards of one task under one set of conditions: versions of task and scorer,
parser, base model, hardware class, evaluation profile, isolation and network policy. Within a
table the seeds of one agent are one row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ft_bench.digest import canonical_json
from ft_bench.record import Card
from ft_bench.report.contest import Contest, Row, ranked
from ft_bench.report.figures import limits
from ft_bench.report.headline import Headline, headlines
from ft_bench.report.standing import Standing, base_standing, reference_standing
from ft_bench.sheet import ReferenceRun, Sheet
from ft_bench.suite import SUITES

__all__ = ["Board", "Conditions", "Table", "board"]

_Key = tuple[str, str, str, str]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Conditions(_Record):
    """What rows must share to be ranked together."""

    task: str
    task_version: str
    scorer_version: str
    parser: str
    base_model: str
    hardware_class: str
    profile: str
    isolation: str
    network: str

    def shared(self) -> tuple[str, ...]:
        """What holds for all tasks of a suite."""
        return self.base_model, self.hardware_class, self.isolation, self.network


class Table(_Record):
    """One task under one set of conditions, best row first."""

    conditions: Conditions
    metric: str
    direction: Literal["max", "min"]
    rows: tuple[Standing, ...]


class Board(_Record):
    """All tables, and the headlines of agents that have several tasks of a suite."""

    tables: tuple[Table, ...]
    headlines: tuple[Headline, ...] = ()


def board(
    cards: Iterable[Card],
    published: Mapping[str, Sequence[Standing]] | None = None,
    sheets: Mapping[str, Sheet] | None = None,
    references: Sequence[ReferenceRun] = (),
) -> Board:
    """Group, average over seeds, and rank.

    Args:
        cards: of any runs.
        published: rows to stand beside them, unranked, by task.
        sheets: by run id, the per-item statistics of cards whose predictions are at hand.
        references: runs of reference models; the first that fits a table is used.
    """
    groups: dict[Conditions, list[Card]] = defaultdict(list)
    for card in cards:
        groups[_conditions(card)].append(card)
    beside = published or {}
    judged = [
        _table(key, groups[key], beside.get(key.task, ()), sheets or {}, references)
        for key in sorted(groups, key=_order)
    ]
    return Board(tables=tuple(table for table, _ in judged), headlines=tuple(_headlines(judged)))


def _conditions(card: Card) -> Conditions:
    return Conditions(**{name: getattr(card, name) for name in Conditions.model_fields})


def _order(conditions: Conditions) -> tuple[str, ...]:
    return tuple(str(value) for value in conditions.model_dump().values())


def _table(
    conditions: Conditions,
    cards: Sequence[Card],
    published: Sequence[Standing],
    sheets: Mapping[str, Sheet],
    references: Sequence[ReferenceRun],
) -> tuple[Table, list[Row]]:
    """A table, and its ranked rows with their draws."""
    by_setting: dict[_Key, list[Card]] = defaultdict(list)
    for card in cards:
        by_setting[_setting(card)].append(card)
    run = next((run for run in references if run.judges(cards[0])), None)
    contest = Contest(cards, sheets, run)
    rows = [contest.row(name, by_setting[key]) for key, name in _names(by_setting).items()]
    reference = reference_standing(cards, run)
    others = [base_standing(cards), *([reference] if reference else []), *published]
    direction = cards[0].direction
    able, standings = ranked(rows, others, direction)
    table = Table(
        conditions=conditions, metric=cards[0].metric, direction=direction, rows=standings
    )
    return table, able


def _setting(card: Card) -> _Key:
    """Agent, backend, the digest of its options as its run id has it, and its limits."""
    tail = card.run_id.rpartition("--")[2].partition(".")[0]
    return card.agent, card.backend, tail, canonical_json(card.budget)


def _names(settings: dict[_Key, list[Card]]) -> dict[_Key, str]:
    """What each row is called; where one agent has several, by what they differ in."""
    names = {}
    for key, cards in settings.items():
        agent, backend, tail, budget = key
        same = [other for other in settings if other[:2] == key[:2]]
        parts = [f"{agent}@{backend}"]
        if len({other[2] for other in same}) > 1:
            parts.append(f"#{tail}")
        if any(other[3] != budget for other in same):
            parts.append(f"({limits(cards[0].budget)})")
        names[key] = " ".join(parts)
    return names


def _headlines(judged: Sequence[tuple[Table, list[Row]]]) -> list[Headline]:
    """For each suite and set of shared conditions; the last version of a task counts."""
    found: dict[tuple[str, ...], dict[str, dict[str, Row]]] = defaultdict(lambda: defaultdict(dict))
    for table, rows in sorted(judged, key=lambda pair: _version(pair[0].conditions.task_version)):
        for row in rows:
            found[table.conditions.shared()][row.standing.name][table.conditions.task] = row
    return [
        line
        for suite, tasks in SUITES.items()
        for conditions, agents in sorted(found.items())
        for line in headlines(suite, tasks, conditions, agents)
    ]


def _version(text: str) -> tuple[int, str]:
    return len(text), text
