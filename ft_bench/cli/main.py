"""The command `ft-bench`: groups the commands and turns errors into sentences and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from ft_bench.cli import (
    audit,
    config,
    doctor,
    eval,
    init,
    lab,
    leaderboard,
    plugins,
    runs,
    score,
    tasks,
    tree,
)
from ft_bench.cli._output import Output
from ft_bench.errors import FtBenchError

__all__ = ["app", "main"]

app = typer.Typer(
    name="ft-bench",
    help="Measures agents that fine-tune language models. TREX is the agent to beat.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("eval")(eval.evaluate)
app.add_typer(runs.app, name="runs")
app.command("tree")(tree.show)
app.command("leaderboard")(leaderboard.show)
app.command("score")(score.score)
app.command("audit")(audit.audit)
app.add_typer(tasks.app, name="tasks")
app.add_typer(plugins.app, name="plugins")
app.add_typer(init.app, name="init")
app.command("doctor")(doctor.doctor)
app.add_typer(config.app, name="config")


@app.command(
    "lab",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def talk(context: typer.Context) -> int:
    """Talk to the Lab from inside a run; see `ft-bench lab --help`."""
    return lab.main(context.args)


@app.callback()
def top() -> None:
    """Measures agents that fine-tune language models. TREX is the agent to beat."""


def _exit(code: object, **_: object) -> None:
    """What a command returns is the exit code."""
    raise typer.Exit(code if isinstance(code, int) else 0)


app.info.result_callback = _exit


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code of the table in the README."""
    try:
        app(args=None if argv is None else list(argv))
    except FtBenchError as error:
        Output("human").error(str(error))
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
