"""AutoRLBenchDoor: `--agent autorlbench:DIR`: an agent written for AutoRL-Bench, unchanged.

Its contract: `config.yaml` names a start script, which finds model, data and output folder in its
environment, and has models scored by a grading server over HTTP. Here that server stands within
the agent's own cell, passes questions on to the Lab, and answers scores on validation.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ft_bench.doors.agent_file import folder_digest
from ft_bench.doors.foreign import Foreign, base_folder, inherited, name_of
from ft_bench.doors.host import Program
from ft_bench.doors.prompt import prompt_text
from ft_bench.errors import ConfigError, DataMissing
from ft_bench.files import write_text
from ft_bench.lab import MeteredLab

__all__ = ["AutoRLBenchDoor"]

_INSTRUCTIONS = """Put code in `code/` and models in `$OUTPUT_DIR`. POST {"model_path": "..."} to
`$GRADING_SERVER_URL/submit` scores a model on validation; the best of them is your entry. GET
`$GRADING_SERVER_URL/time` says how many seconds are left. Only the model at `$MODEL_PATH` may be
fine-tuned.
"""


class _Options(BaseModel):
    """`timeout` in seconds; `inherit` names variables of the caller, such as a key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inherit: str = ""
    timeout: float = Field(default=41_600.0, gt=0)


class _Config(BaseModel):
    """A `config.yaml`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = ""
    start: str = "start.sh"
    env_vars: dict[str, str] = Field(default_factory=dict)


class AutoRLBenchDoor:
    """An agent's folder of AutoRL-Bench.

    Args:
        folder: holds `config.yaml` and its start script.
    """

    Options: type[BaseModel] = _Options

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.config = _read(self.folder / "config.yaml")
        if not (self.folder / self.config.start).is_file():
            raise DataMissing(f"{folder} has no {self.config.start}, which its config.yaml names")
        self.name = name_of(self.folder)
        self.origin = f"autorlbench {folder_digest(self.folder)}"

    def make(self, options: BaseModel, backend: Any, isolation: str) -> _Agent:
        """The agent of one run."""
        return _Agent(self, _Options.model_validate(options.model_dump()), isolation)


def _read(path: Path) -> _Config:
    import yaml

    try:
        data = yaml.safe_load(path.read_text("utf-8")) or {}
        variables = {name: str(value) for name, value in (data.get("env_vars") or {}).items()}
        return _Config.model_validate({**data, "env_vars": variables})
    except OSError as cause:
        raise DataMissing(
            f"{path} is not there; expected an AutoRL-Bench agent's folder"
        ) from cause
    except (yaml.YAMLError, ValidationError, AttributeError, TypeError) as cause:
        raise ConfigError(f"{path} is no config.yaml of AutoRL-Bench: {cause}") from cause


class _Agent:
    def __init__(self, door: AutoRLBenchDoor, options: _Options, isolation: str) -> None:
        self._door, self._options, self._isolation = door, options, isolation

    def run(self, lab: MeteredLab) -> None:
        """Lay the workspace out as AutoRL-Bench does, and run the start script in it."""
        foreign = Foreign(lab, self._options.timeout)
        base = base_folder(lab)
        folder, start = self._door.folder, self._door.folder / self._door.config.start
        server = ("-m", "ft_bench.doors.grading_server", f"{foreign.seconds:.0f}")
        program = Program(
            command=(sys.executable, *server, "bash", str(start)),
            visible=(folder, base),
            env={
                **self._door.config.env_vars,
                **inherited(self._options.inherit),
                **_laid_out(lab, base),
            },
        )
        foreign.run(program, self._isolation, None)


def _laid_out(lab: MeteredLab, base: Path) -> dict[str, str]:
    """The folders and texts of a workspace; returns the variables that name them."""
    workspace, brief = lab.brief.workspace, lab.brief
    model = workspace / "models" / name_of(base)
    for link, target in (
        (model, base),
        (workspace / "data" / "train.jsonl", brief.train),
        (workspace / "data" / "validation.jsonl", brief.validation),
    ):
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    for name in ("code", "output"):
        (workspace / name).mkdir(exist_ok=True)
    write_text(workspace / "description.md", prompt_text(lab))
    write_text(workspace / "instructions.md", _INSTRUCTIONS)
    return {
        "TASK": brief.task,
        "BASE_MODEL": brief.base_model,
        "WORKSPACE": str(workspace),
        "MODEL_PATH": str(model),
        "DATA_PATH": str(workspace / "data"),
        "OUTPUT_DIR": str(workspace / "output"),
    }
