"""What `ft-bench init` writes works at once, and `plugins check` says what breaks a contract."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


class Desk:
    """A person's folder, with packages installed beside the environment's."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.site = folder, folder / "site"

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PYTHONPATH": str(self.site), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    def cli(self, *args: str) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "ft_bench.cli.main", *args)

    def init(self, kind: str, name: str) -> Path:
        ended = self.cli("init", kind, name)
        assert ended.returncode == 0, ended.stderr
        self.install(name)
        return self.folder / name

    def install(self, name: str) -> None:
        where = ("--no-deps", "--no-build-isolation", "--upgrade", "--target", str(self.site))
        ended = self.run("-m", "pip", "install", "-q", *where, f"./{name}")
        assert ended.returncode == 0, ended.stderr

    def check(self, name: str, *more: str) -> tuple[int, dict[str, Any]]:
        ended = self.cli("plugins", "check", name, "--format", "json", *more)
        assert ended.returncode in (0, 1), ended.stderr
        return ended.returncode, json.loads(ended.stdout)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_an_agent_works_and_a_broken_one_is_explained(desk: Desk) -> None:
    package = desk.init("agent", "my-agent")
    code, found = desk.check("my-agent")
    assert code == 0, found
    assert found["kind"] == "agent"
    assert len(found["tests"]) > 10
    agent = package / "my_agent" / "agent.py"
    text = agent.read_text("utf-8")
    closing = text[text.index("        lab.conclude(node, Diagnosis(text=f") :].splitlines()[0]
    agent.write_text(text.replace(closing + "\n", ""), encoding="utf-8")
    desk.install("my-agent")
    code, found = desk.check("my-agent")
    broken = [item["says"] for item in found["tests"] if not item["holds"]]
    assert code == 1
    assert "it closes every node that it opens" in broken


@pytest.mark.parametrize("kind", ["task", "scorer"])
def test_a_task_and_a_scorer_keep_their_contracts(desk: Desk, kind: str) -> None:
    desk.init(kind, "adding")
    code, found = desk.check("adding", "--kind", kind)
    assert code == 0, found
    ended = desk.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "adding/tests")
    assert ended.returncode == 0, ended.stdout


def test_wrong_names_are_explained(desk: Desk) -> None:
    ended = desk.cli("init", "agent", "My Agent")
    assert ended.returncode == 2
    assert "expected lower case" in ended.stderr
    (desk.folder / "full").mkdir()
    (desk.folder / "full" / "a").write_text("", encoding="utf-8")
    ended = desk.cli("init", "agent", "full")
    assert ended.returncode == 2
    assert "not empty" in ended.stderr
    ended = desk.cli("plugins", "check", "gird")
    assert ended.returncode == 2
    assert "did you mean 'grid'" in ended.stderr
