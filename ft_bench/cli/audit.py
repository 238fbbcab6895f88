"""`ft-bench audit`: every number of a run again, from what it left on disk."""

from __future__ import annotations

from typing import Annotated

import typer

from ft_bench.cli._output import Format, Output
from ft_bench.cli.folder import find_run

__all__ = ["audit"]

_MARK = {"ok": "ok   ", "wrong": "WRONG", "not verified": "?    "}


def audit(
    run: Annotated[str, typer.Argument(help="A run: its folder, id, or how it begins.")],
    runs_dir: Annotated[str | None, typer.Option(help="Where runs are.")] = None,
    cache_dir: Annotated[str | None, typer.Option(help="Public cache.")] = None,
    private_dir: Annotated[str | None, typer.Option(help="Test splits.")] = None,
    format: Annotated[Format, typer.Option(help="auto, human, json or quiet.")] = "auto",
) -> int:
    """Recompute every number of a run from its stored predictions."""
    from ft_bench.config import resolve
    from ft_bench.grader.recheck import recheck
    from ft_bench.suite import homes

    config, _ = resolve({"cache_dir": cache_dir, "private_dir": private_dir})
    where = homes(config)
    paths = find_run(run, runs_dir)
    checks = recheck(paths, where.cache, where.private)
    wrong = [check for check in checks if check.state == "wrong"]
    open_ = [check for check in checks if check.state == "not verified"]
    lines = [f"{_MARK[c.state]}  {c.name}{f': {c.detail}' if c.detail else ''}" for c in checks]
    verdict = f"{len(checks) - len(wrong) - len(open_)} ok, {len(wrong)} wrong, "
    verdict += f"{len(open_)} not verified"
    out = Output(format)
    out.data(
        {
            "run": paths.root.name,
            "wrong": len(wrong),
            "not_verified": len(open_),
            "checks": [check.model_dump() for check in checks],
        },
        "\n".join([*lines, verdict]),
    )
    if wrong:
        out.error(f"{paths.root.name}: {wrong[0].name} does not hold: {wrong[0].detail}")
        return 5
    return 0
