"""Leaderboard: a board as text, Markdown, HTML, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from ft_bench.integrity import flag_words
from ft_bench.record import Interval
from ft_bench.report.board import Board, Conditions, Table, board
from ft_bench.report.cells import columns, plain, width_of, wrap
from ft_bench.report.figures import interval, metric_name, number, percent, seconds, signed
from ft_bench.report.headline import Headline
from ft_bench.report.standing import UNSCORED, Standing
from ft_bench.report.strip import Entry, strip

__all__ = [
    "Board",
    "board",
    "board_csv",
    "board_html",
    "board_json",
    "board_markdown",
    "board_text",
]

_HEADER = ("agent", "rank", "score", "95% interval", "gain", "gain 95%", "delta", "seeds", "device")
_SUITE_HEADER = ("agent", "rank", "tasks", "median gain", "gain 95%", "mean rank")
_NUMERIC = range(1, 9)
_LEGEND = (
    "Intervals over seeds and items; one seed's are of its items alone. A range of ranks: nothing "
    "tells the rows apart with 95% probability. ~ weak denominator. Base, reference and published "
    "rows are not ranked; tables differ in their conditions and are not comparable."
)
_WITHOUT = (
    "† without its stored predictions: intervals and rank follow from those on its cards, and it "
    "is not compared item by item."
)


def _rank(row: Standing) -> str:
    if row.rank is None:
        return row.status if row.kind == "agent" else "–"
    return _places(row.rank_low, row.rank_high)


def _places(low: int | None, high: int | None) -> str:
    return f"{low}" if low == high else f"{low}–{high}"


def _marked(row: Standing) -> str:
    """The name with a mark for flags and one for missing predictions."""
    return row.name + (" !" if row.flags else "") + (" †" if _without(row) else "")


def _without(row: Standing) -> bool:
    return row.kind == "agent" and row.basis == "card" and row.status not in UNSCORED


def _ends(ci: Interval | None) -> str:
    return interval(ci) if ci else "–"


def _percents(ci: Interval | None) -> str:
    return f"{percent(ci.low, sign=True)} to {percent(ci.high, sign=True)}" if ci else "–"


def _cells(row: Standing) -> tuple[str, ...]:
    """The cells of a row in the order of the header."""
    weak = "~" if row.weak else ""
    return (
        _marked(row),
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
    rank = "incomplete" if row.rank is None else _places(row.rank_low, row.rank_high)
    weak = f" ({row.weak} weak)" if row.weak else ""
    mean_rank = "–" if row.mean_rank is None else f"{row.mean_rank:.1f}"
    gain = percent(row.median_gain, sign=True) + weak
    return row.name, rank, f"{row.tasks}/{row.of}", gain, _percents(row.gain_ci), mean_rank


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
        base, hardware, isolation, network = row.conditions
        parts = (f"base {base}", hardware, f"isolation {isolation}", f"network {network}")
        shared = "; ".join(part for part in parts if part)
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
        notes = [line for note in _notes(table) for line in wrap(note, width)]
        lines += ["", *notes] if notes else []
        lines.append("")
    for text in _legend(board):
        lines += wrap(text, width)
    return "\n".join(lines) + "\n"


def _notes(table: Table) -> list[str]:
    """What the flags of a table's rows say."""
    return [
        f"! {row.name}: {'; '.join(map(flag_words, row.flags))}" for row in table.rows if row.flags
    ]


def _legend(board: Board) -> list[str]:
    without = any(_without(row) for table in board.tables for row in table.rows)
    return [_LEGEND, _WITHOUT] if without else [_LEGEND]


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
        lines += [f"{_escape(note)}\n" for note in _notes(table)]
    return "\n".join(lines) + "\n" + "\n\n".join(map(_escape, _legend(board))) + "\n"


def board_html(board: Board) -> str:
    """The board as one offline page: each table under a drawing of its scores."""
    from ft_bench.report.html import render

    suites = [
        {
            "title": title.partition(":")[0],
            "conditions": title.partition(": ")[2],
            "rows": [_SUITE_HEADER, *map(_suite_cells, rows)],
            "notes": [],
            "chart": None,
        }
        for title, rows in _suites(board).items()
    ]
    tables = [
        {
            "title": _title(table),
            "conditions": _conditions(table.conditions),
            "rows": [_HEADER, *map(_cells, table.rows)],
            "notes": _notes(table),
            "chart": strip([_entry(row) for row in table.rows]),
        }
        for table in board.tables
    ]
    return render("board.html.j2", sections=[*suites, *tables], legend=_legend(board))


def _entry(row: Standing) -> Entry:
    tone = "chosen" if row.rank is not None else "plain"
    if row.score_ci is None:
        return Entry(row.name, row.score, tone=tone)
    return Entry(row.name, row.score, row.score_ci.low, row.score_ci.high, tone)


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
