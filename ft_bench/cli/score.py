"""`ft-bench score`: the number that upstream's own code would give for a file of predictions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ft_bench.cli._output import Format, Output

if TYPE_CHECKING:
    from ft_bench.grader.questions import Questions
    from ft_bench.task import TaskSpec

__all__ = ["score"]


def score(
    predictions: Annotated[Path, typer.Argument(help="JSONL with id and output.")],
    task: Annotated[str, typer.Option(help="Which task; see `tasks list`.")],
    split: Annotated[
        str, typer.Option(help="test, validation, or any row that is known.")
    ] = "test",
    rows: Annotated[Path | None, typer.Option(help="JSONL of own rows instead of a split.")] = None,
    parser: Annotated[str | None, typer.Option(help="One of `tasks show`'s parsers.")] = None,
    partial: Annotated[bool, typer.Option(help="Score the given rows only.")] = False,
    data_dir: Annotated[str | None, typer.Option(help="Upstream files, <task>/<file>.")] = None,
    cache_dir: Annotated[str | None, typer.Option(help="Public cache.")] = None,
    private_dir: Annotated[str | None, typer.Option(help="Test splits.")] = None,
    items: Annotated[Path | None, typer.Option(help="Write each item's outcome here.")] = None,
    format: Annotated[Format, typer.Option(help="auto, human, json or quiet.")] = "auto",
) -> int:
    """Score a file of predictions as upstream would."""
    from ft_bench import registry
    from ft_bench.grader.predictions import score_file
    from ft_bench.grader.questions import given_rows

    spec = registry.task(task)
    if rows is not None:
        questions = given_rows(rows)
    else:
        homes = {"data_dir": data_dir, "cache_dir": cache_dir, "private_dir": private_dir}
        questions = _prepared(spec, split, homes)
    found = score_file(spec, questions, predictions, parser=parser, partial=partial, items=items)
    low, high = found["ci"]["low"], found["ci"]["high"]
    parts = "".join(f"\n  {name} {value:.4f}" for name, value in found["components"].items())
    shown = (
        f"{task} {found['metric']} {found['score']:.4f} [{low:.4f}, {high:.4f}] on {found['n']} "
        f"rows ({found['split']}), {found['invalid']} without an answer, parser {found['parser']}"
    )
    Output(format).data(found, shown + parts)
    return 0


def _prepared(spec: TaskSpec, split: str, given: Mapping[str, str | None]) -> Questions:
    from ft_bench.config import resolve
    from ft_bench.errors import UnknownName
    from ft_bench.grader.questions import SPLITS, questions_of
    from ft_bench.prepare import prepare
    from ft_bench.suite import homes

    if split not in SPLITS:
        raise UnknownName("split", split, SPLITS)
    config, _ = resolve(given)
    where = homes(config)
    data = prepare(spec, where.cache, where.private, data_dir=config.data_dir)
    return questions_of(data, split)
