"""Command line: `python -m aidp run RECIPE ...` and `python -m aidp describe`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aidp.errors import AidpError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; data goes to stdout, talk to stderr.

    Returns:
        0, or 2 where the recipe, a source or a row is not as it should be.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("aidp").setLevel(logging.WARNING if options.quiet else logging.INFO)
    try:
        text = _run(options) if options.command == "run" else _describe(options)
    except AidpError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(text + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m aidp", description="Data operators as recipes."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run a recipe over local files")
    run.add_argument("recipe", type=Path, help="a JSON file")
    run.add_argument(
        "--source", action="append", default=[], metavar="ID=FILE", help="rows of a source"
    )
    run.add_argument("--out", type=Path, required=True, help="folder for rows, rejects, lineage")
    run.add_argument("--workspace", type=Path, help="folder that keeps finished steps")
    run.add_argument("--num-proc", type=int, default=1, help="processes or threads")
    run.add_argument("--format", choices=["human", "json"], default="human")
    run.add_argument("--engine", choices=["local", "ray"], default="local")
    run.add_argument("--quiet", action="store_true", help="tell nothing of progress on stderr")
    describe = commands.add_parser("describe", help="print the catalogue of operators")
    describe.add_argument("--format", choices=["human", "json"], default="human")
    describe.set_defaults(quiet=True)
    return parser


def _run(options: argparse.Namespace) -> str:
    from aidp.engine import run
    from aidp.lineage import describe, save
    from aidp.load import load_local_dataset

    recipe = _recipe(options.recipe)
    sources = {}
    for pair in options.source:
        name, equals, path = pair.partition("=")
        if not equals or not name or not path:
            raise AidpError(f"--source is {pair!r}, expected ID=FILE, such as train=train.jsonl")
        sources[name] = load_local_dataset(path)
    outcome = run(
        recipe,
        sources,
        workspace=options.workspace,
        num_proc=options.num_proc,
        engine=options.engine,
    )
    save(outcome, options.out)
    if options.format == "json":
        return json.dumps(outcome.lineage, ensure_ascii=False, indent=2)
    return describe(outcome.lineage)


def _recipe(path: Path) -> Any:
    if not path.exists():
        raise AidpError(f"there is no recipe {str(path)!r}; give the path of a JSON file")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise AidpError(f"the recipe {path.name!r} is no JSON: {error}") from None


def _describe(options: argparse.Namespace) -> str:
    from aidp.describe import catalogue, catalogue_text

    if options.format == "json":
        return json.dumps(catalogue(), ensure_ascii=False, indent=2)
    return catalogue_text()


if __name__ == "__main__":
    sys.exit(main())
