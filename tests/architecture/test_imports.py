"""Who may import whom, read off the source; and what the command line must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {
    "ft_bench": ROOT / "ft_bench",
    "trex_agent": ROOT / "trex_agent",
    "aidp": ROOT / "aidp",
    "ft_bench_scorers": ROOT / "scorers" / "ft_bench_scorers",
    "ft_bench_baselines": ROOT / "baselines" / "ft_bench_baselines",
}
MAY = {
    "ft_bench": set(),
    "trex_agent": {"ft_bench", "aidp"},
    "aidp": set(),
    "ft_bench_scorers": {"ft_bench"},
    "ft_bench_baselines": {"ft_bench", "trex_agent"},
}
SCORERS_OF_TASKS = ("ft_bench.tasks.",)
"""A task's `prepare.py` and Inspect task may use the scorer of that task."""

FLOORS: tuple[set[str], ...] = (
    {"cli"},
    {"testing"},
    {"report", "export", "preview", "validate"},
    {"suite"},
    {"runner"},
    {"doors"},
    {"finish", "evidence"},
    {"lab", "request", "base", "earlier"},
    {"ledger", "dataset", "adopt", "setting", "lent_sandbox"},
    {
        "store",
        "registry",
        "audit",
        "config",
        "grader",
        "prepare",
        "outcome",
        "control",
    },
    {"client", "integrity", "lineage"},
    {"protocols", "job", "download", "wire", "draws", "sheet"},
    {"seal", "record", "plan", "task", "budget", "stats", "tree", "steering", "weights"},
    {"digest", "files"},
    {"errors"},
)
"""From the top: a module imports its own floor and those below."""

ENTRY_POINTS = {"ft_bench.grader.inspect_tasks": 0}
"""Modules that stand on top, whatever room they are in: only a foreign program loads them."""

HEAVY = ("torch", "transformers", "datasets", "altair", "litellm", "inspect_ai", "trl", "peft")


@cache
def _imports() -> dict[str, set[tuple[str, bool]]]:
    """By module: what it imports of ours, and whether at its top level."""
    found = {}
    for package, folder in OURS.items():
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            name = ".".join([package, *(part for part in parts if part != "__init__")])
            found[name] = set(_of(ast.parse(path.read_text("utf-8"))))
    return found


def _of(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    late = {
        id(node)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef) or _for_types(outer)
        for node in ast.walk(outer)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) not in late


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def test_the_source_is_found() -> None:
    assert len(_imports()) > 60
    assert ("ft_bench.tree.Tree", True) in _imports()["ft_bench.lab"]


@pytest.mark.parametrize("package", OURS)
def test_packages_know_only_those_they_may(package: str) -> None:
    wrong = [
        f"{module} imports {name}"
        for module, names in _imports().items()
        if _within(module, package) and not module.startswith(SCORERS_OF_TASKS)
        for name, _ in names
        for other in set(OURS) - MAY[package] - {package}
        if _within(name, other)
    ]
    assert wrong == []


def _floor(module: str) -> int | None:
    if module in ENTRY_POINTS:
        return ENTRY_POINTS[module]
    parts = module.split(".")
    if len(parts) < 2 or parts[0] != "ft_bench":
        return None
    return next((n for n, floor in enumerate(FLOORS) if parts[1] in floor), None)


def test_every_module_of_the_harness_has_a_floor() -> None:
    rooms = {name.split(".")[1] for name in _imports() if name.startswith("ft_bench.")}
    known = set().union(*FLOORS)
    assert rooms - known - {"backends", "tasks", "__main__", "_paper"} == set()


def test_no_module_imports_a_floor_above_its_own() -> None:
    wrong = []
    for module, names in _imports().items():
        here = _floor(module)
        for name, _ in names:
            there = _floor(name)
            if here is not None and there is not None and there < here:
                wrong.append(f"{module} (floor {here}) imports {name} (floor {there})")
    assert wrong == []


def test_back_ends_are_imported_by_nobody() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, names in _imports().items()
        for name, _ in names
        if _within(name, "ft_bench.backends")
        and not _within(module, "ft_bench.backends")
        and not module.startswith("ft_bench.tasks.")
    ]
    assert wrong == []


def test_no_task_is_imported_by_the_harness() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, names in _imports().items()
        for name, _ in names
        if _within(name, "ft_bench.tasks") and not _within(module, "ft_bench.tasks")
    ]
    assert wrong == []


def test_there_is_no_import_cycle_at_the_top_of_modules() -> None:
    modules = set(_imports())
    graph = {
        module: {_module(name, modules) for name, at_top in names if at_top} - {"", module}
        for module, names in _imports().items()
    }
    done: set[str] = set()
    for start in graph:
        _visit(start, graph, done, [])


def _module(name: str, modules: set[str]) -> str:
    """The module that an import loads: the name itself, or what it is taken from."""
    return name if name in modules else name.rpartition(".")[0] if "." in name else ""


def _visit(node: str, graph: dict[str, set[str]], done: set[str], path: list[str]) -> None:
    if node in path:
        pytest.fail(f"import cycle: {' -> '.join([*path[path.index(node) :], node])}")
    if node in done:
        return
    for other in sorted(graph.get(node, ())):
        _visit(other, graph, done, [*path, node])
    done.add(node)


@pytest.mark.parametrize("module", ["ft_bench.cli.main", "ft_bench.runner", "aidp", "ft_bench"])
def test_heavy_packages_are_not_loaded(module: str) -> None:
    code = f"import sys, {module}\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


@pytest.mark.parametrize("name", ["cli"])
def test_only_the_command_line_prints(name: str) -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for folder in OURS.values()
        for path in folder.rglob("*.py")
        if name not in path.parts and path.name != "__main__.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    ]
    assert wrong == []
