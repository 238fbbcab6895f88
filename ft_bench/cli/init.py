"""`ft-bench init`: writes a working package for an agent, a task or a scorer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from ft_bench.cli._output import Format, Output
from ft_bench.errors import UsageError

__all__ = ["app"]

app = typer.Typer(help="Write a package for a new agent, task or scorer.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Lower case, digits and dashes.")]
Folder = Annotated[Path | None, typer.Option("--dir", help="Where it goes [./NAME].")]
Shape = Annotated[Format, typer.Option(help="auto, human, json or quiet.")]

_POINTS = {
    "agent": '[project.entry-points."ft_bench.agents"]\n$name = "$package.agent:Agent"\n',
    "scorer": '[project.entry-points."ft_bench.scorers"]\n$name = "$package.scorer:SCORER"\n',
    "task": (
        '[project.entry-points."ft_bench.tasks"]\n$identifier = "$package"\n\n'
        '[project.entry-points."ft_bench.scorers"]\n$identifier = "$package.scorer:SCORER"\n'
    ),
}
_OUTSIDE = ("pyproject.toml", "README.md")


@app.command("agent")
def agent(name: Name, folder: Folder = None, format: Shape = "auto") -> int:
    """A Python agent with its contract test."""
    return _write("agent", name, folder, format)


@app.command("task")
def task(name: Name, folder: Folder = None, format: Shape = "auto") -> int:
    """A task with its scorer and their contract tests."""
    return _write("task", name, folder, format)


@app.command("scorer")
def scorer(name: Name, folder: Folder = None, format: Shape = "auto") -> int:
    """A scorer with its contract test."""
    return _write("scorer", name, folder, format)


def _write(kind: str, name: str, folder: Path | None, format: Format) -> int:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(
            f"{name!r} is no name for a package; expected lower case, digits and single dashes"
        )
    root = folder or Path(name)
    if root.exists() and any(root.iterdir()):
        raise UsageError(f"{root} is there already and not empty; give another --dir")
    written = []
    for path, text in _files(kind, name):
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        written.append(str(target))
    lines = [*written, "", f"Next: pip install -e '{root}[dev]', then read {root / 'README.md'}"]
    Output(format).data({"kind": kind, "files": written}, "\n".join(lines))
    return 0


def _files(kind: str, name: str) -> Iterator[tuple[Path, str]]:
    """Each file of the package with its text."""
    package = name.replace("-", "_")
    words = {
        "name": name,
        "identifier": package,
        "package": package,
        "about": f"{name}: {'an' if kind == 'agent' else 'a'} {kind} for FT-Bench.",
    }
    words["points"] = Template(_POINTS[kind]).substitute(words)
    for source in resources.files("ft_bench.cli.scaffold").joinpath(kind).iterdir():
        file = source.name.removesuffix(".txt")
        text = Template(source.read_text("utf-8")).substitute(words)
        yield _place(file, package), text


def _place(file: str, package: str) -> Path:
    if file in _OUTSIDE:
        return Path(file)
    return Path("tests" if file.startswith("test_") else package, file)
