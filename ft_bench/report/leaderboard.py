"""Leaderboard: cards read from a folder, and a board of them as text, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from ft_bench.errors import DataMissing
from ft_bench.record import Card, Interval
from ft_bench.report.board import Board, Conditions, Table, board
from ft_bench.report.cells import columns, plain, width_of, wrap
from ft_bench.report.figures import interval, metric_name, number, percent, seconds, signed
from ft_bench.report.headline import Headline
from ft_bench.report.standing import Standing
from ft_bench.store import read_card, read_review

__all__ = [
    "Board",
    "board",
    "board_csv",
    "board_json",
    "board_markdown",
    "board_text",
    "read_cards",
]

_MOST_BYTES = 4_000_000
_REVIEW = ".review.json"
_HEADER = ("agent", "rank", "score", "95% interval", "gain", "gain 95%", "delta", "seeds", "device")
_SUITE_HEADER = ("agent", "rank", "tasks", "median gain", "mean rank")
_NUMERIC = range(1, 9)
_LEGEND = (
    "A range of ranks: intervals overlap and do not tell the rows apart. ~ weak denominator. "
    "Base, reference and published rows are not ranked; tables differ in their conditions and "
    "are not comparable."
)


def read_cards(folder: Path) -> tuple[list[Card], list[str]]:
    """The cards in a folder, as `<name>.json` or `<run>/card.json`, and what was skipped and why.

    A run found twice counts once; one that was rejected by `ft-bench runs review` says so.
    """
    cards: dict[str, Card] = {}
    skipped = []
    for path in sorted({*folder.glob("*.json"), *folder.glob("*/card.json")}):
        name = path.relative_to(folder).as_posix()
        if name.endswith(_REVIEW):
            continue
        try:
            card = _read(path)
        except DataMissing as missing:
            skipped.append(f"{name}: {str(missing).removeprefix(f'{path} ')}")
            continue
        if card.run_id in cards:
            skipped.append(f"{name}: the run {card.run_id} was found before")
            continue
        cards[card.run_id] = card
    return list(cards.values()), skipped


def _read(path: Path) -> Card:
    if not path.is_file():
        raise DataMissing("is not a file")
    if path.stat().st_size > _MOST_BYTES:
        raise DataMissing(f"is larger than a card can be ({path.stat().st_size:,} bytes)")
    card = read_card(path)
    beside = path.with_name("review.json") if path.name == "card.json" else None
    review = read_review(beside or path.with_name(path.stem + _REVIEW))
    if review is not None and review.verdict == "rejected":
        return card.model_copy(
            update={"status": "rejected", "flags": (*card.flags, f"rejected: {review.reason}")}
        )
    return card


def _rank(row: Standing) -> str:
    if row.rank is None:
        return row.status if row.kind == "agent" else "–"
    span = f" ({row.rank_low}–{row.rank_high})" if row.tied else ""
    return f"{row.rank:g}{span}"


def _ends(ci: Interval | None) -> str:
    return interval(ci) if ci else "–"


def _percents(ci: Interval | None) -> str:
    return f"{percent(ci.low, sign=True)} to {percent(ci.high, sign=True)}" if ci else "–"


def _cells(row: Standing) -> tuple[str, ...]:
    """The cells of a row in the order of the header."""
    weak = "~" if row.weak else ""
    return (
        row.name + (" !" if row.flags else ""),
        _rank(row),
        number(row.score),
        _ends(row.score_ci),
        weak + percent(row.gain, sign=True),
        _percents(row.gain_ci),
        signed(row.delta),
        str(len(row.seeds)) if row.seeds else "–",
        seconds(row.device_seconds),
    )


def _suite_cells(row: Headline) -> tuple[str, ...]:
    rank = "incomplete" if row.rank is None else f"{row.rank:g}"
    weak = f" ({row.weak} weak)" if row.weak else ""
    mean_rank = "–" if row.mean_rank is None else f"{row.mean_rank:.1f}"
    gain = percent(row.median_gain, sign=True) + weak
    return row.name, rank, f"{row.tasks}/{row.of}", gain, mean_rank


def _title(table: Table) -> str:
    lower = ", lower is better" if table.direction == "min" else ""
    return f"{table.conditions.task}: {metric_name(table.metric)}{lower}"


def _conditions(conditions: Conditions) -> str:
    parts = [
        f"task version {conditions.task_version}",
        f"scorer {conditions.scorer_version}, parser {conditions.parser}",
        f"base {conditions.base_model}",
        conditions.hardware_class,
        conditions.profile,
        f"isolation {conditions.isolation}",
        f"network {conditions.network}",
    ]
    return "; ".join(part for part in parts if part)


def _suites(board: Board) -> dict[str, list[Headline]]:
    """Headlines by the title of their table."""
    found: dict[str, list[Headline]] = {}
    for row in board.headlines:
        shared = "; ".join(part for part in row.conditions if part)
        found.setdefault(f"suite {row.suite}: {shared}", []).append(row)
    return found


def board_text(board: Board, width: int = 80) -> str:
    """The board for a terminal; columns at the right are left out where the width is too small."""
    if not board.tables:
        return "No cards yet; `ft-bench eval mini` makes one.\n"
    lines: list[str] = []
    for title, rows in _suites(board).items():
        lines += [*wrap(title, width), ""]
        lines += _fitting([_SUITE_HEADER, *map(_suite_cells, rows)], width)
        lines.append("")
    for table in board.tables:
        lines += [*wrap(_title(table), width), *wrap(_conditions(table.conditions), width), ""]
        lines += _fitting([_HEADER, *map(_cells, table.rows)], width)
        lines.append("")
    return "\n".join([*lines, *wrap(_LEGEND, width)]) + "\n"


def _fitting(rows: Sequence[tuple[str, ...]], width: int) -> list[str]:
    """The rows with as many columns, from the left, as have room beside a name of twelve."""
    widths = [max(width_of(row[place]) for row in rows) for place in range(len(rows[0]))]
    widths[0] = min(widths[0], 12)
    kept = len(widths)
    while kept > 3 and sum(widths[:kept]) + 2 * (kept - 1) > width:
        kept -= 1
    return columns([row[:kept] for row in rows], _NUMERIC, width)


def board_markdown(board: Board) -> str:
    """The board as Markdown tables; what agents call themselves cannot leave its cell."""
    lines: list[str] = []
    for title, headlines in _suites(board).items():
        lines += [f"### {_escape(title)}", ""]
        lines += [*_grid([_SUITE_HEADER, *map(_suite_cells, headlines)]), ""]
    for table in board.tables:
        lines += [f"### {_escape(_title(table))}", "", _escape(_conditions(table.conditions)), ""]
        lines += [*_grid([_HEADER, *map(_cells, table.rows)]), ""]
    return "\n".join([*lines, _escape(_LEGEND)]) + "\n"


def _grid(rows: Sequence[tuple[str, ...]]) -> list[str]:
    header, *rest = ["| " + " | ".join(map(_escape, row)) + " |" for row in rows]
    rule = "|---" + "|---:" * (len(rows[0]) - 1) + "|"
    return [header, rule, *rest]


def _escape(text: str) -> str:
    shown = plain(text)
    for mark in "\\`*_[]|~#":
        shown = shown.replace(mark, "\\" + mark)
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def board_csv(board: Board) -> str:
    """One line for each row of each table, numbers in full, conditions beside them."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    fields = [name for name in Standing.model_fields if not name.endswith("_ci")]
    ends = [f"{name}_{end}" for name in ("score", "delta", "gain") for end in ("low", "high")]
    writer.writerow([*Conditions.model_fields, "metric", *fields, *ends])
    for table in board.tables:
        shared = [str(value) for value in table.conditions.model_dump().values()]
        for row in table.rows:
            values = [_csv_value(getattr(row, name)) for name in fields]
            cells = [*shared, table.metric, *values, *_csv_ends(row)]
            writer.writerow([_guarded(cell) for cell in cells])
    return sink.getvalue()


def _csv_value(value: object) -> object:
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return "" if value is None else value


def _csv_ends(row: Standing) -> list[object]:
    found = (row.score_ci, row.delta_ci, row.gain_ci)
    return [end for ci in found for end in ((ci.low, ci.high) if ci else ("", ""))]


def _guarded(cell: object) -> object:
    """Text that a spreadsheet would take for a formula is quoted."""
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{cell}"
    return cell


def board_json(board: Board) -> str:
    """The board as JSON."""
    return board.model_dump_json(indent=1) + "\n"
