"""`ft-bench leaderboard`: ranks from a folder of cards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated, Literal

import typer

from ft_bench.cli._output import Output
from ft_bench.cli.folder import runs_folder

__all__ = ["show"]

Shape = Literal["auto", "human", "md", "json", "csv"]


def show(
    folder: Annotated[Path | None, typer.Argument(help="Cards [results/runs].")] = None,
    against: Annotated[
        str | None, typer.Option(help="paper: its rows beside yours, unranked.")
    ] = None,
    format: Annotated[Shape, typer.Option(help="auto, human, md, json or csv.")] = "auto",
) -> int:
    """Rank the runs whose cards lie in a folder."""
    from ft_bench.report import leaderboard

    cards, skipped = leaderboard.read_cards(folder or runs_folder(None))
    published = None
    if against is not None:
        from ft_bench.report.paper import published_rows

        published = published_rows(against)
    board = leaderboard.board(cards, published)
    texts = {"md": leaderboard.board_markdown, "csv": leaderboard.board_csv}
    out = Output("human" if format in texts else format)  # type: ignore[arg-type]
    for name in skipped:
        out.say(f"skipped {name}")
    text = (
        texts[format](board)
        if format in texts
        else leaderboard.board_text(board, shutil.get_terminal_size((100, 40)).columns)
    )
    out.data(json.loads(leaderboard.board_json(board)), text)
    return 0
