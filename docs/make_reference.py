"""Writes docs/reference/: command line, configuration and AIDP's operators, from the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import aidp
from ft_bench.config import keys, resolve

HERE = Path(__file__).parent / "reference"
COMMANDS = (
    "eval",
    "tree",
    "leaderboard",
    "score",
    "doctor",
    "runs list",
    "runs show",
    "runs stop",
    "tasks list",
    "tasks show",
    "tasks prepare",
    "tasks validate",
    "plugins list",
    "config show",
)


def command_line() -> str:
    """Every command's help."""
    parts = ["# Command line\n"]
    for name in COMMANDS:
        command = [sys.executable, "-m", "ft_bench.cli.main", *name.split(), "--help"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for shown in ("python -m ft_bench.cli.main", "main.py"):
            text = text.replace(shown, "ft-bench")
        parts.append(f"## ft-bench {name}\n\n```\n{text.strip()}\n```\n")
    return "\n".join(parts)


def configuration() -> str:
    """Every key with its default and its environment variable."""
    config, _ = resolve({}, environment={}, file=None)
    lines = ["# Configuration", "", "Flag, `FT_BENCH_*`, `ft-bench.toml`, default, in that order."]
    lines += ["", "| key | default | environment |", "|---|---|---|"]
    for key in keys():
        section, _, name = key.rpartition(".")
        value = getattr(getattr(config, section) if section else config, name)
        shown = "under your home folder" if key in ("cache_dir", "private_dir") else value
        lines.append(f"| `{key}` | {shown} | `FT_BENCH_{key.replace('.', '_').upper()}` |")
    return "\n".join(lines) + "\n"


def operators() -> str:
    """AIDP's catalogue."""
    lines = ["# AIDP operators", ""]
    for entry in aidp.catalogue():
        lines += [f"## {entry['name']}", "", "```python", str(entry["signature"]), "```", ""]
        lines += [str(entry.get("summary") or entry.get("doc") or ""), ""]
    return "\n".join(lines)


def main() -> None:
    """Write all three."""
    HERE.mkdir(exist_ok=True)
    (HERE / "cli.md").write_text(command_line(), "utf-8")
    (HERE / "config.md").write_text(configuration(), "utf-8")
    (HERE / "aidp.md").write_text(operators(), "utf-8")


if __name__ == "__main__":
    main()
