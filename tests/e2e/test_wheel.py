"""The wheel holds every package, the tasks' files and the built-in base model."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)
def test_the_wheel_is_complete(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(tmp_path)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "ft_bench/cli/main.py",
        "ft_bench/tasks/mini/task.toml",
        "ft_bench/tasks/mini/base/model.safetensors",
        "ft_bench/tasks/sst2/brief.md",
        "ft_bench/py.typed",
        "trex_agent/agent.py",
        "aidp/__init__.py",
        "ft_bench_scorers/sst2.py",
        "ft_bench_baselines/grid.py",
    ):
        assert wanted in names, wanted
    assert not [name for name in names if name.startswith(("tests/", "results/", "docs/"))]
