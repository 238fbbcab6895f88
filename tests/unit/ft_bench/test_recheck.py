"""Recheck: a sound run holds in every number; each forgery is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ft_bench.digest import canonical_json, digest
from ft_bench.errors import DataMissing
from ft_bench.grader.recheck import recheck
from ft_bench.store import RunPaths
from ft_bench.testing.bench import Bench
from ft_bench_baselines.grid import Grid


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, RunPaths]:
    bench = Bench(tmp_path_factory.mktemp("sound"))
    card = bench.run(Grid, options={"trainings": "4", "variants": "2"})
    return bench, bench.paths(card)


def _states(bench: Bench, paths: RunPaths) -> dict[str, tuple[str, str]]:
    from ft_bench.testing.bench import plugged

    with plugged({("tasks", "toy"): "ft_bench.testing.toy"}):
        checks = recheck(paths, bench.homes.cache, bench.homes.private)
    return {check.name: (check.state, check.detail) for check in checks}


def _rewrite(path: Path, change: Callable[[dict], None]) -> None:
    data = json.loads(path.read_bytes())
    change(data)
    path.write_text(json.dumps(data))


def _rechain(path: Path, change: Callable[[dict], None]) -> None:
    """Change bodies and chain the journal anew, as a forger who knows the format would."""
    prev, lines = "0" * 64, []
    for line in path.read_text().splitlines():
        event = json.loads(line)
        change(event["body"])
        event["prev"] = prev
        event["hash"] = digest({k: v for k, v in event.items() if k != "hash"})
        prev = event["hash"]
        lines.append(canonical_json(event))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def copy(sound: tuple[Bench, RunPaths], tmp_path: Path) -> tuple[Bench, RunPaths]:
    bench, paths = sound
    shutil.copytree(paths.root, tmp_path / "run")
    return bench, RunPaths(tmp_path / "run")


def test_a_sound_run_holds(sound: tuple[Bench, RunPaths]) -> None:
    states = _states(*sound)
    wrong = {name: why for name, why in states.items() if why[0] == "wrong"}
    assert wrong == {}
    for name in (
        "hash chain",
        "budget",
        "test score",
        "gain",
        "overlap",
        "selection on validation",
    ):
        assert states[name][0] == "ok"
    assert states["validation of n0v0"][0] == "ok"
    assert states["weights of n0v0"][0] == "ok"


def test_one_byte_of_the_journal(copy: tuple[Bench, RunPaths]) -> None:
    bench, paths = copy
    text = paths.events.read_text()
    paths.events.write_text(text.replace('"seq":3', '"seq":4', 1))
    assert _states(bench, paths)["hash chain"][0] == "wrong"


def test_a_forged_card(copy: tuple[Bench, RunPaths]) -> None:
    bench, paths = copy
    _rewrite(paths.card, lambda card: card["test"].update(value=0.99))
    states = _states(bench, paths)
    assert states["card and journal"][0] == states["test score"][0] == "wrong"
    assert "0.99" in states["test score"][1]


def test_a_forged_score_in_a_journal_chained_anew(copy: tuple[Bench, RunPaths]) -> None:
    bench, paths = copy

    def change(body: dict) -> None:
        if body["kind"] == "evaluated" and body["model"] == "n0v1":
            body["score"]["value"] = 0.999

    _rechain(paths.events, change)
    states = _states(bench, paths)
    assert states["hash chain"][0] == "ok"
    assert states["validation of n0v1"][0] == "wrong"
    assert "not in the journal" in states["card and journal"][1]


def test_forged_outputs(copy: tuple[Bench, RunPaths]) -> None:
    bench, paths = copy
    samples = next((paths.root / "test").glob("tuned/samples.jsonl"))
    samples.write_text(samples.read_text().replace("negative", "positive"))
    states = _states(bench, paths)
    assert "is not the file that was scored" in states["test score"][1]
    assert states["gain"][0] == "not verified"


def test_a_forged_gain(copy: tuple[Bench, RunPaths]) -> None:
    bench, paths = copy
    _rewrite(paths.card, lambda card: card["gain"].update(delta=0.9))
    assert _states(bench, paths)["gain"][0] == "wrong"


def test_a_flag_taken_off_the_card_and_one_that_is_not_earned(copy) -> None:
    bench, paths = copy
    _rewrite(paths.card, lambda card: card.update(flags=["other-model"]))
    states = _states(bench, paths)
    assert states["flags"][0] == "wrong"
    assert "voids the gain" in states["gain"][1]


def test_samples_outside_the_run_are_not_read(copy: tuple[Bench, RunPaths]) -> None:
    bench, paths = copy
    _rewrite(paths.card, lambda card: card["test"].update(samples="../../etc/passwd"))
    assert "outside the run" in _states(bench, paths)["test score"][1]


def test_what_was_pruned_is_named(copy: tuple[Bench, RunPaths]) -> None:
    bench, paths = copy
    shutil.rmtree(paths.root / "nodes")
    shutil.rmtree(paths.datasets)
    states = _states(bench, paths)
    assert states["validation of n0v0"][0] == states["overlap"][0] == "not verified"
    assert states["test score"][0] == "ok"


def test_without_the_data_nothing_is_called_right(copy, tmp_path: Path) -> None:
    _, paths = copy
    states = _states(Bench(tmp_path / "other"), paths)
    assert states["test score"][0] == "not verified"
    assert "not prepared" in states["test score"][1]


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(DataMissing):
        recheck(RunPaths(tmp_path), tmp_path, tmp_path)
