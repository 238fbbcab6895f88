"""`ft-bench runs review`: a person's verdict on a run, kept with its reason."""

from __future__ import annotations

import getpass
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ft_bench.cli._output import Format, Output
from ft_bench.cli.folder import find_run
from ft_bench.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from ft_bench.record import Card

__all__ = ["review"]


def review(
    run: Annotated[str, typer.Argument(help="A run: its folder, id, or how it begins.")],
    accept: Annotated[bool, typer.Option(help="It may stand on a board.")] = False,
    reject: Annotated[bool, typer.Option(help="It stands on a board unranked.")] = False,
    reason: Annotated[str, typer.Option(help="Why; kept beside the card.")] = "",
    by: Annotated[str | None, typer.Option(help="Who says so [the user].")] = None,
    into: Annotated[
        Path | None, typer.Option(help="Copy an accepted card here, e.g. results/leaderboard.")
    ] = None,
    runs_dir: Annotated[str | None, typer.Option(help="Where runs are.")] = None,
    cache_dir: Annotated[str | None, typer.Option(help="Public cache.")] = None,
    private_dir: Annotated[str | None, typer.Option(help="Test splits.")] = None,
    format: Annotated[Format, typer.Option(help="auto, human, json or quiet.")] = "auto",
) -> int:
    """Accept or reject a run with a reason; a run that an audit refutes cannot be accepted."""
    from ft_bench.files import write_json
    from ft_bench.record import Review
    from ft_bench.store import read_card, read_review

    paths = find_run(run, runs_dir)
    out = Output(format)
    if not accept and not reject:
        _show(read_review(paths.review), paths.root.name, out)
        return 0
    if (accept and reject) or not reason.strip():
        raise UsageError("a review is --accept or --reject, with --reason TEXT; give one and why")
    card = read_card(paths.card)
    if accept:
        _refuse_unsound(paths.root, cache_dir, private_dir)
    found = Review(
        run_id=card.run_id,
        verdict="accepted" if accept else "rejected",
        reason=reason.strip(),
        by=by or getpass.getuser(),
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        head=card.head,
    )
    write_json(paths.review, found)
    if accept and into is not None:
        into.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(paths.card, into / f"{card.run_id}.json")
        shutil.copyfile(paths.review, into / f"{card.run_id}.review.json")
        _copy_predictions(paths.root, card, into)
    _show(found, paths.root.name, out)
    return 0


def _refuse_unsound(root: Path, cache_dir: str | None, private_dir: str | None) -> None:
    from ft_bench.config import resolve
    from ft_bench.grader.recheck import recheck
    from ft_bench.store import RunPaths
    from ft_bench.suite import homes

    config, _ = resolve({"cache_dir": cache_dir, "private_dir": private_dir})
    where = homes(config)
    wrong = [c for c in recheck(RunPaths(root), where.cache, where.private) if c.state == "wrong"]
    if wrong:
        raise IntegrityError(
            f"{root.name} cannot be accepted: {wrong[0].name} does not hold ({wrong[0].detail}); "
            f"see `ft-bench audit {root.name}`, or --reject it"
        )


def _copy_predictions(root: Path, card: Card, into: Path) -> None:
    """What a board compares item by item; the base's outputs are kept once for all its runs."""
    from ft_bench.grader.sheets import PREDICTIONS, kept_name

    folder = into / PREDICTIONS
    folder.mkdir(exist_ok=True)
    for score in (card.test, card.base_test):
        if score.samples_sha256 and (root / score.samples).is_file():
            shutil.copyfile(root / score.samples, folder / kept_name(score))


def _show(found: object, run: str, out: Output) -> None:
    from ft_bench.record import Review

    if not isinstance(found, Review):
        out.data(None, f"{run} was not reviewed; give --accept or --reject, with --reason TEXT")
        return
    words = f"{run} {found.verdict} by {found.by} at {found.at}: {found.reason}"
    out.data(found.model_dump(mode="json"), words)
