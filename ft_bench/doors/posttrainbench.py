"""PostTrainBenchDoor: `--agent posttrainbench:DIR`: an agent written for PostTrainBench, unchanged.

Its contract: `solve.sh` runs in a folder with `evaluate.py` and `timer.sh`, finds its task in
`PROMPT`, trains as it likes until its hours are up, and leaves its model in `final_model/`. Here
`evaluate.py` answers scores on validation, and the hours are the run's device and wall time.
"""

from __future__ import annotations

import time
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ft_bench.doors.agent_file import folder_digest
from ft_bench.doors.foreign import Foreign, base_folder, inherited, name_of
from ft_bench.doors.host import Program
from ft_bench.errors import DataMissing
from ft_bench.files import write_text
from ft_bench.lab import MeteredLab

__all__ = ["PostTrainBenchDoor"]

_FINAL = Path("final_model")
_EVALUATE = "from ft_bench.doors.evaluate_script import main\n\nmain()\n"
_TIMER = """#!/bin/bash
left=$(( {deadline} - $(date +%s) ))
if [ "$left" -le 0 ]; then echo "No time is left"; exit 0; fi
printf 'Remaining time (hours:minutes): %d:%02d\\n' $(( left / 3600 )) $(( left % 3600 / 60 ))
"""


class _Options(BaseModel):
    """`agent_config` is what the agent finds as AGENT_CONFIG, `inherit` names keys it may have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent_config: str = ""
    inherit: str = ""
    hours: float = Field(default=10.0, gt=0)


class PostTrainBenchDoor:
    """An agent's folder of PostTrainBench.

    Args:
        folder: holds `solve.sh`.
    """

    Options: type[BaseModel] = _Options

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        if not (self.folder / "solve.sh").is_file():
            raise DataMissing(f"{folder} has no solve.sh; expected a PostTrainBench agent's folder")
        self.name = name_of(self.folder)
        self.origin = f"posttrainbench {folder_digest(self.folder)}"

    def make(self, options: BaseModel, backend: Any, isolation: str) -> _Agent:
        """The agent of one run."""
        return _Agent(self.folder, _Options.model_validate(options.model_dump()), isolation)


class _Agent:
    def __init__(self, folder: Path, options: _Options, isolation: str) -> None:
        self._folder, self._options, self._isolation = folder, options, isolation

    def run(self, lab: MeteredLab) -> None:
        """Lay the task out as PostTrainBench does, and run `solve.sh` in it."""
        foreign = Foreign(lab, self._options.hours * 3600)
        base = base_folder(lab)
        workspace = lab.brief.workspace
        write_text(workspace / "evaluate.py", _EVALUATE)
        deadline = int(time.time() + foreign.seconds)
        write_text(workspace / "timer.sh", _TIMER.format(deadline=deadline))
        (workspace / "templates").mkdir(exist_ok=True)
        program = Program(
            command=("bash", str(self._folder / "solve.sh")),
            visible=(self._folder, base),
            env={
                **inherited(self._options.inherit),
                "PROMPT": _prompt(lab, base, foreign.seconds / 3600),
                "AGENT_CONFIG": self._options.agent_config,
                "NUM_GPUS": "1",
            },
        )
        foreign.run(program, self._isolation, _FINAL)


def _prompt(lab: MeteredLab, base: Path, hours: float) -> str:
    text = resources.files(__package__).joinpath("posttrainbench.md").read_text("utf-8")
    return Template(text).substitute(
        model=base,
        task=lab.brief.task,
        brief=lab.brief.text.strip(),
        metric=lab.brief.metric.name,
        train=lab.brief.train,
        validation=lab.brief.validation,
        hours=f"{hours:.3g}",
    )
