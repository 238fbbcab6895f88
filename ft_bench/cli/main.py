"""The command `ft-bench`: groups the commands and turns errors into sentences and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from ft_bench.cli import config, doctor, eval, leaderboard, plugins, runs, score, tasks, tree
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
app.add_typer(tasks.app, name="tasks")
app.add_typer(plugins.app, name="plugins")
app.command("doctor")(doctor.doctor)
app.add_typer(config.app, name="config")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code of the table in the README."""
    sys.exit(_run(list(sys.argv[1:] if argv is None else argv)))


def _run(argv: list[str]) -> int:
    import click

    try:
        code = app(args=argv, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.exceptions.NoArgsIsHelpError as wanted:
        sys.stdout.write(wanted.ctx.get_help() + "\n")
        return 2
    except click.ClickException as wrong:
        context = getattr(wrong, "ctx", None)
        hint = f"; see `{context.command_path} --help`" if context else ""
        Output("human").error(wrong.format_message().rstrip(".") + hint)
        return 2
    except FtBenchError as error:
        Output("human").error(str(error))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        Output("human").error("interrupted; the same command takes the work up again")
        return 130
    except BrokenPipeError:
        return 0


if __name__ == "__main__":
    main()
