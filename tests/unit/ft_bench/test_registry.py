from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ft_bench import registry
from ft_bench.errors import ConfigError, PrerequisiteError, UnknownName, UsageError
from ft_bench.task import load_task
from ft_bench.testing.bench import plugged


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is installed beside the product: a distribution called `other`."""
    info = tmp_path / "other-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.available.cache_clear()
    yield tmp_path
    registry.available.cache_clear()
    registry.task.cache_clear()


def _points(installed: Path, text: str) -> None:
    (installed / "other-1.2.dist-info" / "entry_points.txt").write_text(text)
    registry.available.cache_clear()
    registry.task.cache_clear()


@pytest.mark.parametrize(
    ("group", "name", "suggestion"),
    [
        ("agents", "trx", "trex"),
        ("scorers", "sst", "sst2"),
        ("tasks", "lawbnech", "lawbench"),
        ("backends", "llm.ofline", "llm.offline"),
    ],
)
def test_an_unknown_plug_in_has_a_suggestion(
    group: registry.Group, name: str, suggestion: str
) -> None:
    with pytest.raises(UnknownName, match=f"did you mean '{suggestion}'") as caught:
        registry.load(group, name)
    assert caught.value.exit_code == 2


def test_an_unknown_task_names_the_command_that_lists_them() -> None:
    with pytest.raises(UnknownName, match=r"did you mean 'sst2'.*ft-bench tasks list"):
        registry.task("sst")


def test_back_ends_are_looked_for_within_their_kind() -> None:
    assert "offline" in registry.backends("llm")
    assert "local" in registry.backends("cluster")
    with pytest.raises(UnknownName, match="Unknown backend 'offlin'; did you mean 'offline'"):
        registry.backend("llm", "offlin")
    with pytest.raises(UnknownName, match="Unknown cluster backend 'offline'"):
        registry.backend("cluster", "offline")


def test_a_third_partys_plug_in_is_found_like_a_built_in(installed: Path) -> None:
    (installed / "other_agent.py").write_text("class Mine:\n    name = 'mine'\n")
    _points(installed, "[ft_bench.agents]\nmine = other_agent:Mine\n")
    assert registry.load("agents", "mine").name == "mine"
    assert registry.origin("agents", "mine") == "other 1.2"
    assert "trex" in registry.available("agents")


def test_a_plug_in_whose_package_is_missing_says_what_to_install(installed: Path) -> None:
    _points(installed, "[ft_bench.agents]\nmine = absent_package.agent:Mine\n")
    with pytest.raises(PrerequisiteError, match=r"'mine' \(absent_package.*install the package"):
        registry.load("agents", "mine")


def test_two_plug_ins_of_one_name_are_refused(installed: Path) -> None:
    _points(installed, "[ft_bench.agents]\ntrex = other_agent:Mine\n")
    with pytest.raises(UsageError, match=r"Two plug-ins register the agent 'trex'.*uninstall"):
        registry.load("agents", "trex")


def test_a_task_folder_that_is_not_there_is_named(installed: Path) -> None:
    _points(installed, "[ft_bench.tasks]\nmine = absent_package\nbare = bare_package\n")
    with pytest.raises(ConfigError, match="absent_package is no task folder"):
        registry.task("mine")
    (installed / "bare_package").mkdir()
    (installed / "bare_package" / "__init__.py").touch()
    with pytest.raises(ConfigError, match=r"bare_package is no task folder.*task\.toml"):
        registry.task("bare")


@pytest.mark.parametrize("text", ["id = ", 'id = "Bad Id"', 'id = "x"\ncolour = "red"'])
def test_a_malformed_task_names_its_file(installed: Path, text: str) -> None:
    folder = installed / "malformed_task"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "brief.md").touch()
    (folder / "task.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"malformed_task/task\.toml is not a valid task"):
        load_task("malformed_task")


def test_a_task_brings_its_brief_along() -> None:
    spec = load_task("ft_bench.testing.toy")
    assert spec.brief.startswith("**Task**")
    assert spec.module == "ft_bench.testing.toy"


def test_what_is_plugged_in_for_a_test_is_gone_afterwards() -> None:
    before = dict(registry.available("agents"))
    with plugged({("agents", "trex"): object, ("tasks", "toy"): "ft_bench.testing.toy"}):
        assert registry.load("agents", "trex") is object
        assert registry.task("toy").id == "toy"
    assert registry.available("agents") == before
    with pytest.raises(UnknownName):
        registry.task("toy")
