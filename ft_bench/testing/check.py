"""Check: runs the shipped contract test on a plug-in and says in words what fails."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

from ft_bench import registry
from ft_bench.doors.entrant import entrant
from ft_bench.doors.python_agent import absolute
from ft_bench.errors import FtBenchError, PrerequisiteError, UnknownName
from ft_bench.prepare import prepare, read_rows

__all__ = ["Finding", "check_plugin", "kind_of"]

Kind = Literal["agent", "scorer", "task"]
_CLASSES = {"agent": "AgentContract", "scorer": "ScorerContract", "task": "TaskContract"}
_PLAIN = ({"id": "a", "prompt": "2 + 2", "answer": "4"}, {"id": "b", "prompt": "x", "answer": "y"})
_MOST_ROWS = 40


@dataclass(frozen=True, slots=True)
class Finding:
    """One test of the contract: what it says, whether it holds, and why it does not."""

    says: str
    holds: bool
    why: str = ""


def kind_of(name: str, given: str | None = None) -> Kind:
    """What a name is: as `given`, else an agent by any door, a scorer, or a task, in this order.

    Raises:
        UnknownName: where it is none, or there is no such kind.
    """
    if given is not None:
        found: Kind | None = next((kind for kind in get_args(Kind) if kind == given), None)
        if found is None:
            raise UnknownName("kind of plug-in", given, get_args(Kind))
        return found
    try:
        entrant(name)
    except UnknownName:
        if name in registry.available("scorers") and name not in registry.available("tasks"):
            return "scorer"
        if name in registry.available("tasks"):
            return "task"
        known = [point for group in ("agents", "tasks", "scorers") for point in _names(group)]
        raise UnknownName("plug-in", name, known, "ft-bench plugins list") from None
    return "agent"


def _names(group: Any) -> list[str]:
    return list(registry.available(group))


def check_plugin(
    name: str,
    kind: Kind,
    *,
    options: Mapping[str, str],
    isolation: str,
    data_dir: Path | None,
) -> list[Finding]:
    """Run the contract test of its kind on a plug-in, in a process of its own.

    Raises:
        PrerequisiteError: where pytest is not installed.
        FtBenchError: where the tests could not be run at all.
    """
    if find_spec("pytest") is None:
        raise PrerequisiteError("the contract tests need pytest; `pip install pytest`")
    fields: dict[str, Any]
    if kind == "agent":
        fields = {"agent": _placed(name), "options": dict(options), "isolation": isolation}
    elif kind == "task":
        fields = {"task": name, "data_dir": None if data_dir is None else str(data_dir)}
    else:
        fields = {"scorer": name, "rows": _rows_for(name)}
    with tempfile.TemporaryDirectory(prefix="ft-bench-check-") as folder:
        return _run(Path(folder), kind, fields)


def _placed(name: str) -> str:
    """An agent's name that holds in any working directory."""
    if name in registry.available("agents"):
        return name
    prefix, colon, rest = name.partition(":")
    if colon and prefix in ("inspect", "posttrainbench", "autorlbench"):
        inner = absolute(rest) if prefix == "inspect" else str(Path(rest).resolve())
        return f"{prefix}:{inner}"
    if name.endswith(".toml") or Path(name).is_dir():
        return str(Path(name).resolve())
    return absolute(name)


def _rows_for(scorer: str) -> list[dict[str, Any]]:
    """Validation rows of a task that has this scorer and needs no upstream file, or plain ones."""
    for task in registry.tasks():
        spec = registry.task(task)
        if spec.scorer == scorer and not spec.sources:
            with tempfile.TemporaryDirectory() as folder:
                made = prepare(spec, Path(folder, "cache"), Path(folder, "private"))
                return read_rows(made.validation)[:_MOST_ROWS]
    return [dict(row) for row in _PLAIN]


def _run(folder: Path, kind: Kind, fields: Mapping[str, Any]) -> list[Finding]:
    file, report = folder / "test_contract.py", folder / "report.xml"
    body = "\n".join(f"    {name} = {value!r}" for name, value in fields.items())
    base = _CLASSES[kind]
    file.write_text(
        f'import pytest\n\npytest.register_assert_rewrite("ft_bench.testing.{kind}s")\n'
        f"from ft_bench.testing.{kind}s import {base}\n\n\nclass TestPlugin({base}):\n{body}\n",
        encoding="utf-8",
    )
    options = ["-q", "-p", "no:cacheprovider", "--tb=short", "-c", "/dev/null"]
    command = [sys.executable, "-m", "pytest", *options, f"--rootdir={folder}", str(file)]
    ended = subprocess.run(
        [*command, f"--junitxml={report}"], capture_output=True, text=True, check=False
    )
    if not report.exists():
        last = (ended.stdout + ended.stderr).strip().splitlines()[-1:] or ["no message"]
        raise FtBenchError(f"the contract test did not run: {last[0]}")
    return list(_findings(report))


def _findings(report: Path) -> Iterator[Finding]:
    for case in ET.parse(report).iter("testcase"):
        says = case.get("name", "").removeprefix("test_").replace("_", " ").replace("[", " [")
        wrong = [item for item in case if item.tag in ("failure", "error")]
        why = " ".join((wrong[0].get("message") or "").split())[:300] if wrong else ""
        yield Finding(says, not wrong, why)
