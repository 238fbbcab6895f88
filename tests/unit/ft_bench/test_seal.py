"""The seal of a journal: what an agent that ends the harness and rewrites everything achieves."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_bench.budget import Budget
from ft_bench.digest import canonical_json, digest
from ft_bench.errors import ChainBroken, IntegrityError
from ft_bench.grader.recheck import recheck
from ft_bench.record import Card
from ft_bench.store import RunPaths, read_events
from ft_bench.testing.bench import Bench, plugged
from ft_bench.testing.cluster import FakeCluster, Killed
from ft_bench_baselines.grid import Grid

GIVEN: dict[str, Any] = {
    "options": {"trainings": "2", "variants": "2"},
    "budget": Budget(iterations=1),
}


@pytest.fixture
def over(tmp_path: Path) -> tuple[Bench, RunPaths]:
    """A run with its card."""
    bench = Bench(tmp_path)
    return bench, bench.paths(bench.run(Grid, **GIVEN))


def forge(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite a journal with a chain that holds, as one can who has no key."""
    prev, lines = "0" * 64, []
    for line in path.read_bytes().splitlines():
        event = json.loads(line)
        change(event["body"])
        event["prev"] = prev
        event["hash"] = digest({name: value for name, value in event.items() if name != "hash"})
        prev = event["hash"]
        lines.append(canonical_json(event) + "\n")
    path.write_text("".join(lines), "utf-8")
    read_events(path)


def better(body: dict[str, Any]) -> None:
    if body["kind"] == "tested":
        body["score"]["value"] = 0.99


def seal_of(bench: Bench, paths: RunPaths) -> tuple[str, str]:
    with plugged({("tasks", "toy"): "ft_bench.testing.toy"}):
        checks = recheck(paths, bench.homes.cache, bench.homes.private)
    return next((c.state, c.detail) for c in checks if c.name == "journal seal")


def test_the_key_is_this_users_alone(over: tuple[Bench, RunPaths]) -> None:
    bench, paths = over
    (key,) = (bench.homes.private / "seals").iterdir()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert key.read_bytes() not in paths.events.read_bytes()
    assert seal_of(bench, paths) == ("ok", "isolation none; its key was within reach of the agent")


def test_a_forged_journal_with_a_good_chain_is_found(over: tuple[Bench, RunPaths]) -> None:
    bench, paths = over
    forge(paths.events, better)
    state, why = seal_of(bench, paths)
    assert state == "wrong"
    assert "was not written by the harness" in why
    paths.card.unlink()
    with pytest.raises(ChainBroken, match="does not bear the seal"):
        bench.run(Grid, **GIVEN)


def test_the_manifest_is_sealed_too(over: tuple[Bench, RunPaths]) -> None:
    bench, paths = over
    manifest = json.loads(paths.manifest.read_text())
    paths.manifest.write_text(json.dumps({**manifest, "isolation": "bwrap"}))
    assert seal_of(bench, paths)[0] == "wrong"


def test_a_card_that_does_not_fit_is_no_answer(over: tuple[Bench, RunPaths]) -> None:
    bench, paths = over
    whole = paths.card.read_text()
    card = Card.model_validate_json(whole)
    assert bench.run(Grid, **GIVEN) == card

    better_test = card.test.model_copy(update={"value": 0.99})
    for changed in (
        card.model_copy(update={"head": "f" * 64}),
        card.model_copy(update={"test": better_test}),
    ):
        paths.card.write_text(changed.model_dump_json())
        with pytest.raises(IntegrityError, match=r"does not fit its journal: .*ft-bench audit"):
            bench.run(Grid, **GIVEN)

    paths.card.write_text(whole)
    forge(paths.events, better)
    head = read_events(paths.events)[0][-1].hash
    fits = card.model_copy(update={"test": better_test, "head": head})
    paths.card.write_text(fits.model_dump_json())
    with pytest.raises(IntegrityError, match="does not bear the seal"):
        bench.run(Grid, **GIVEN)


def test_without_its_key_a_run_is_not_verified_and_goes_on(tmp_path: Path) -> None:
    """A machine with another private folder takes a run up all the same."""
    bench = Bench(tmp_path)
    again = FakeCluster()

    def blow(_: object) -> None:
        raise Killed

    with pytest.raises(Killed):
        bench.run(Grid, FakeCluster(midway=blow), **GIVEN)
    shutil.rmtree(bench.homes.private / "seals")
    card = bench.run(Grid, again, **GIVEN)
    assert card.status == "complete"
    assert bench.run(Grid, **GIVEN) == card
    assert seal_of(bench, bench.paths(card)) == ("not verified", "the key of this run is not here")


def test_a_run_that_goes_on_is_sealed_to_its_end(tmp_path: Path) -> None:
    bench, fuse = Bench(tmp_path), iter([False, True])

    def blow(_: object) -> None:
        if next(fuse, False):
            raise Killed

    with pytest.raises(Killed):
        bench.run(Grid, FakeCluster(midway=blow), **GIVEN)
    card = bench.run(Grid, **GIVEN)
    assert seal_of(bench, bench.paths(card))[0] == "ok"
