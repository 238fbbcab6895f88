"""Agents of other benchmarks run unchanged; a model they trained is taken in by its weights."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ft_bench.adopt import adopt_model
from ft_bench.budget import Budget
from ft_bench.errors import ConfigError, DataMissing, JobFailed
from ft_bench.job import ModelRef
from ft_bench.record import Card, Trained
from ft_bench.store import read_events
from ft_bench.testing.bench import Bench

AGENTS = Path(__file__).parents[2] / "data" / "agents"
BASE = Path(__file__).parents[3] / "ft_bench" / "tasks" / "mini" / "base"
BENCH = f"posttrainbench:{AGENTS / 'posttrainbench'}"
AUTORL = f"autorlbench:{AGENTS / 'autorlbench'}"


def run(folder: Path, agent: str, **changes: Any) -> tuple[Card, Path]:
    bench = Bench(folder)
    given = {"budget": Budget(iterations=4), "base_model": "builtin:mini/base", **changes}
    card = bench.run(agent, **given)
    return card, bench.paths(card).root


def test_an_agent_of_posttrainbench_enters_the_model_that_it_leaves(tmp_path: Path) -> None:
    card, root = run(tmp_path, BENCH)
    assert card.status == "complete", card.stop_reason
    assert card.selected_on == "agent"
    assert card.flags == ("foreign-training",)
    assert card.selected_recipe is None
    assert card.lineage is not None
    assert card.lineage.faults == ()
    assert card.gain.delta > 0.3
    first = json.loads((root / "workspace" / "first.json").read_text("utf-8"))
    assert first == {"accuracy": pytest.approx(2 / 3, abs=0.1)}
    assert card.usage.iterations == 1  # two models; the same final_model was scored once
    assert card.usage.device_seconds > 4  # two evaluations of 2 s, and the agent's own wall time


def test_another_model_gains_nothing(tmp_path: Path) -> None:
    card, _ = run(tmp_path, BENCH, options={"agent_config": "other"})
    assert card.status == "integrity"
    assert "other-model" in card.flags
    assert card.gain.delta == 0


def test_an_agent_of_autorlbench_enters_its_best_submission(tmp_path: Path) -> None:
    card, root = run(tmp_path, AUTORL)
    assert card.status == "complete", card.stop_reason
    assert card.selected_on == "validation"
    assert card.selected_node == 1
    told = json.loads((root / "workspace" / "told.json").read_text("utf-8"))
    assert [entry["submission_id"] for entry in told] == [1, 2, 3]
    assert told[2]["best"]["submission_id"] == 2
    assert told[1]["improvement"] == round(told[1]["score"] - told[1]["baseline_score"], 6)
    assert card.validation is not None
    assert told[1]["score"] == card.validation.value
    bodies = [event.body for event in read_events(root / "events.jsonl")[0]]
    assert all(body.dataset == "" for body in bodies if isinstance(body, Trained))


def test_the_slot_that_it_holds_is_device_time(tmp_path: Path) -> None:
    folder = tmp_path / "slow"
    shutil.copytree(AGENTS / "posttrainbench", folder)
    (folder / "solve.sh").write_text("sleep 600\n", encoding="utf-8")
    budget = Budget(iterations=4, device_seconds=8.0)
    card, _ = run(tmp_path / "bench", f"posttrainbench:{folder}", budget=budget)
    assert card.status == "no_valid_model"
    assert card.stop_reason.startswith("budget:")
    assert 1 <= card.usage.device_seconds <= 8


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ("posttrainbench:nowhere", DataMissing, r"no solve\.sh"),
        ("autorlbench:nowhere", DataMissing, r"config\.yaml is not there"),
    ],
)
def test_a_folder_that_is_no_agent_is_explained(
    tmp_path: Path, given: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        run(tmp_path, given)


def test_a_malformed_config_is_explained(tmp_path: Path) -> None:
    folder = tmp_path / "agent"
    folder.mkdir()
    (folder / "config.yaml").write_text("name: [", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        run(tmp_path / "bench", f"autorlbench:{folder}")


@pytest.fixture
def room(tmp_path: Path) -> Path:
    shutil.copytree(BASE, tmp_path / "room" / "model")
    return tmp_path / "room"


def adopt(room: Path, name: str = "model") -> Any:
    return adopt_model(Path(name), room, room.parent / "copy", ModelRef(base=str(BASE)))


def test_a_copy_of_the_base_is_taken_in_without_code(room: Path) -> None:
    (room / "model" / "modeling.py").write_text("import os", encoding="utf-8")
    (room / "model" / "pytorch_model.bin").write_bytes(b"\x80")
    ref, found = adopt(room)
    assert found.faults == ()
    assert not {path.suffix for path in Path(ref.base).iterdir()} & {".py", ".bin"}


@pytest.mark.parametrize("name", ["..", "/etc", "absent", "../room2", ""])
def test_a_folder_outside_of_the_workspace_is_refused(room: Path, name: str) -> None:
    with pytest.raises(JobFailed, match="POLICY"):
        adopt(room, name)


def test_a_link_is_not_followed(room: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("{}", encoding="utf-8")
    (room / "model" / "extra.json").symlink_to(secret)
    with pytest.raises(JobFailed, match="no plain file"):
        adopt(room)
    (room / "elsewhere").symlink_to(tmp_path)
    with pytest.raises(JobFailed, match="no folder of the workspace"):
        adopt(room, "elsewhere")


def test_a_pipe_is_not_waited_for(room: Path) -> None:
    os.mkfifo(room / "model" / "pipe.json")
    with pytest.raises(JobFailed, match="no plain file"):
        adopt(room)


def test_a_huge_file_is_refused(room: Path) -> None:
    with (room / "model" / "z.safetensors").open("wb") as stream:
        stream.truncate(8 << 30)
    with pytest.raises(JobFailed, match="three times as large"):
        adopt(room)
