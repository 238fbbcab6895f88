"""`ft-bench tasks`: list, show, prepare and validate tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ft_bench.cli._output import Format, Output, table

if TYPE_CHECKING:
    from ft_bench.prepare import Prepared

__all__ = ["app"]

app = typer.Typer(help="List, show, prepare and validate tasks.", no_args_is_help=True)
Shape = Annotated[Format, typer.Option(help="auto, human, json or quiet.")]
DataDir = Annotated[str | None, typer.Option(help="Upstream files, <task>/<file>.")]
CacheDir = Annotated[str | None, typer.Option(help="Public cache.")]
PrivateDir = Annotated[str | None, typer.Option(help="Test splits.")]
All = Annotated[bool, typer.Option("--all", help="Every task.")]


@app.command("list")
def list_tasks(format: Shape = "auto") -> int:
    """List all tasks."""
    from ft_bench import registry

    specs = [registry.task(name) for name in registry.tasks()]
    rows = [
        (s.id, s.version, s.metric.name, f"{s.splits.train:,}", s.splits.validation, s.splits.test)
        for s in specs
    ]
    header = ("task", "version", "metric", "train", "validation", "test")
    data = [
        dict(zip(header, (s.id, s.version, s.metric.name, s.splits.train, *r[4:]), strict=True))
        for s, r in zip(specs, rows, strict=True)
    ]
    Output(format).data(data, table(header, rows))
    return 0


@app.command("show")
def show(task: str, format: Shape = "auto") -> int:
    """Show one task: data, metric, parsers, licence, and what is missing upstream."""
    from ft_bench import registry

    spec = registry.task(task)
    parsers = list(registry.scorer(spec.scorer).parsers)
    reference = spec.reference
    lines = [
        f"{spec.id} {spec.version}: {spec.title}",
        f"metric      {spec.metric.name} ({spec.metric.direction})",
        "parsers     "
        + ", ".join(f"{name} (default)" if name == spec.parser else name for name in parsers),
        f"rows        {spec.splits.train:,} train, {spec.splits.validation:,} validation, "
        f"{spec.splits.test:,} test. {spec.splits.note}",
        f"licence     {spec.licence}",
        f"base model  {spec.base_model or '(give --base-model)'}",
    ]
    if reference is not None:
        lines.append(
            f"reference   {reference.score:g} by {reference.model}, base {reference.base:g} "
            f"({reference.source})"
        )
    lines += [f"file        {source.name}  sha256 {source.sha256}" for source in spec.sources]
    if spec.missing:
        lines.append(f"missing     {spec.missing}")
    data = {**spec.model_dump(mode="json"), "parsers": parsers}
    Output(format).data(data, "\n".join([*lines, "", spec.brief.strip()]))
    return 0


def _wanted(tasks: Sequence[str] | None, everything: bool) -> list[str]:
    from ft_bench import registry
    from ft_bench.errors import UsageError

    if bool(tasks) == everything:
        raise UsageError("expected either TASK... or --all; see `ft-bench tasks list`")
    return registry.tasks() if everything else list(tasks or [])


def _prepare(
    name: str, out: Output, given: Mapping[str, str | None], *, fresh: bool = False
) -> Prepared:
    from ft_bench import registry
    from ft_bench.config import resolve
    from ft_bench.prepare import prepare
    from ft_bench.suite import homes

    config, _ = resolve(given)
    where = homes(config)
    spec = registry.task(name)

    def progress(file: str, have: int, total: int | None) -> None:
        out.say(f"{name}: {file} {have / 1e6:.1f} MB" + (f" of {total / 1e6:.1f}" if total else ""))

    return prepare(
        spec,
        where.cache,
        where.private,
        data_dir=config.data_dir,
        fresh=fresh,
        progress=progress,
    )


@app.command("prepare")
def prepare_tasks(
    tasks: Annotated[list[str] | None, typer.Argument(help="Tasks.")] = None,
    everything: All = False,
    data_dir: DataDir = None,
    cache_dir: CacheDir = None,
    private_dir: PrivateDir = None,
    fresh: Annotated[bool, typer.Option(help="Make them again.")] = False,
    format: Shape = "auto",
) -> int:
    """Make the splits of tasks from upstream files: train and validation public, test private."""
    from ft_bench.errors import FtBenchError

    out = Output(format)
    rows, code = [], 0
    names = _wanted(tasks, everything)
    for name in names:
        where = {"data_dir": data_dir, "cache_dir": cache_dir, "private_dir": private_dir}
        try:
            data = _prepare(name, out, where, fresh=fresh)
        except FtBenchError as error:
            if len(names) == 1:
                raise
            out.error(f"{name}: {error}")
            code = max(code, error.exit_code)
            continue
        out.say(f"{name}: licence {data.spec.licence}")
        for note in data.notes:
            out.say(f"{name}: {note}")
        rows.append({"task": name, **data.rows, "data_digest": data.data_digest})
    shown = [(r["task"], r["train"], r["validation"], r["test"]) for r in rows]
    out.data(rows, table(("task", "train", "validation", "test"), shown))
    return code


@app.command("validate")
def validate_tasks(
    tasks: Annotated[list[str] | None, typer.Argument(help="Tasks.")] = None,
    everything: All = False,
    data_dir: DataDir = None,
    cache_dir: CacheDir = None,
    private_dir: PrivateDir = None,
    format: Shape = "auto",
) -> int:
    """Check prepared tasks: schema, counts, overlap, gold and empty answers, references."""
    from ft_bench.validate import validate

    out = Output(format)
    rows = []
    for name in _wanted(tasks, everything):
        where = {"data_dir": data_dir, "cache_dir": cache_dir, "private_dir": private_dir}
        for check in validate(_prepare(name, out, where)):
            rows.append(
                {"task": name, "check": check.name, "holds": check.holds, "seen": check.seen}
            )
    shown = [(r["task"], "ok" if r["holds"] else "FAILS", r["check"], r["seen"]) for r in rows]
    out.data(rows, table(("task", "", "check", "seen"), shown))
    return 0 if all(row["holds"] for row in rows) else 1
