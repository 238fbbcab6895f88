"""`ft-bench leaderboard`: ranks from a folder of cards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ft_bench.cli._output import Output
from ft_bench.cli.folder import find_run, runs_folder
from ft_bench.errors import UsageError

if TYPE_CHECKING:
    from ft_bench.grader.sheets import Sheets
    from ft_bench.sheet import ReferenceRun

__all__ = ["show"]

Shape = Literal["auto", "human", "md", "html", "json", "csv"]


def show(
    folder: Annotated[Path | None, typer.Argument(help="Cards [results/runs].")] = None,
    against: Annotated[
        str | None, typer.Option(help="paper: its rows beside yours, unranked.")
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(help="A run of the reference model: gains are paired with its predictions."),
    ] = None,
    cache_dir: Annotated[str | None, typer.Option(help="Public cache.")] = None,
    private_dir: Annotated[str | None, typer.Option(help="Test splits.")] = None,
    format: Annotated[Shape, typer.Option(help="auto, human, md, html, json or csv.")] = "auto",
) -> int:
    """Rank the runs whose cards lie in a folder, by what they said to each test item."""
    from ft_bench.report import leaderboard
    from ft_bench.report.cards import read_cards

    if folder is not None and not folder.is_dir():
        raise UsageError(f"{str(folder)!r} is no folder; expected one with cards or runs")
    cards, skipped = read_cards(folder or runs_folder(None))
    published = None
    if against is not None:
        from ft_bench.report.paper import published_rows

        published = published_rows(against)
    sheets = _sheets(cache_dir, private_dir)
    references = [_reference(name, sheets) for name in reference or ()]
    found = sheets.of(cards)
    board = leaderboard.board(cards.values(), published, found, references)
    texts = {
        "md": leaderboard.board_markdown,
        "html": leaderboard.board_html,
        "csv": leaderboard.board_csv,
    }
    out = Output("human" if format in texts else format)  # type: ignore[arg-type]
    for name in skipped:
        out.say(f"skipped {name}")
    for line in _alone(sheets.missing):
        out.say(line)
    text = (
        texts[format](board)
        if format in texts
        else leaderboard.board_text(board, shutil.get_terminal_size((100, 40)).columns)
    )
    out.data(json.loads(leaderboard.board_json(board)), text)
    return 0


def _alone(missing: Mapping[str, str]) -> list[str]:
    """Why some runs have no predictions here, one line for each reason."""
    runs: dict[str, list[str]] = {}
    for run, why in missing.items():
        runs.setdefault(why, []).append(run)
    return [
        f"{names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}: no predictions, "
        f"the card stands alone: {why}"
        for why, names in runs.items()
    ]


def _sheets(cache_dir: str | None, private_dir: str | None) -> Sheets:
    from ft_bench.config import resolve
    from ft_bench.grader.sheets import Sheets
    from ft_bench.suite import homes

    config, _ = resolve({"cache_dir": cache_dir, "private_dir": private_dir})
    where = homes(config)
    return Sheets(where.cache, where.private)


def _reference(name: str, sheets: Sheets) -> ReferenceRun:
    """The run of a reference model, by its folder or its id."""
    from ft_bench.sheet import ReferenceRun
    from ft_bench.store import read_card

    path = find_run(name).card
    card = read_card(path)
    return ReferenceRun(card, sheets.of({path: card}).get(card.run_id))
