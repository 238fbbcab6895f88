"""Apart: a Python agent in a process of its own, confined; `python -m ft_bench.doors.apart FILE`.

Under `--isolation process` and `bwrap` an agent that is a Python class runs here, and reaches its
Lab by the socket as any other program does.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ft_bench.client import connect
from ft_bench.doors.commands import Commands
from ft_bench.doors.host import Program, host
from ft_bench.doors.python_agent import absolute, load_agent, source_of
from ft_bench.errors import FtBenchError
from ft_bench.files import write_json
from ft_bench.lab import MeteredLab
from ft_bench.protocols import LLM

__all__ = ["Apart", "main"]

_SPEC = "agent.json"


class Apart:
    """The harness's side: starts the agent's process and waits for it.

    Args:
        given: the agent, as `--agent` names it.
        name: of the agent.
        options: as checked by the agent's own model.
        llm: the language model behind it, which stays in the harness with its key.
        isolation: of the process.
    """

    def __init__(
        self, given: str, name: str, options: BaseModel, llm: LLM | None, isolation: str
    ) -> None:
        self.name, self._given, self._llm = name, given, llm
        self._options, self._isolation = options, isolation

    def run(self, lab: MeteredLab) -> None:
        """Run the agent beside the Lab until it ends."""
        spec = lab.brief.workspace / _SPEC
        write_json(
            spec,
            {"agent": absolute(self._given), "options": self._options.model_dump(mode="json")},
        )
        program = Program(
            command=(sys.executable, "-m", "ft_bench.doors.apart", str(spec)),
            visible=source_of(self._given),
            env={"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"},
        )
        commands = Commands(self._isolation)
        host(
            lab,
            program,
            self._isolation,
            llm=self._llm,
            verbs=commands.verbs,
            ending=commands.close,
        )


def main(path: Path) -> int:
    """The agent's side: load it, connect, run; the exit code."""
    spec: dict[str, Any] = json.loads(path.read_text("utf-8"))
    agent_class = load_agent(spec["agent"])
    options = agent_class.Options.model_validate(spec["options"])
    try:
        lab = connect(os.environ)
        agent_class(options=options, backend=lab.model()).run(lab)
    except FtBenchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
