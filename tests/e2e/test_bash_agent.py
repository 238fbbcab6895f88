"""The bash example, by the command line, with real trainings on the built-in task, confined."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ft_bench.protocols import Sandbox

AGENT = Path(__file__).parents[2] / "examples" / "bash_agent" / "agent.toml"


@pytest.mark.slow
def test_the_bash_agent_trains_real_models_under_bubblewrap(tmp_path: Path, bwrap: Sandbox) -> None:
    where = [
        part
        for name in ("runs", "cache", "private")
        for part in (f"--{name}-dir", str(tmp_path / name))
    ]
    small = ["--budget.iterations", "1", "-A", "rows=800", "-A", "variants=1"]
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "ft_bench.cli.main", "eval", "mini", "--agent", str(AGENT)),
            *("--isolation", "bwrap", "--format", "json", *small, *where),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    card = json.loads(ended.stdout)["card"]
    assert (card["agent"], card["isolation"]) == ("bash-agent", "bwrap")
    assert (card["status"], card["flags"], card["trainings"]) == ("complete", [], 2)
    assert card["gain"]["delta"] > 0.05
