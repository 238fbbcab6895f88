"""Tools: what a model may call, each with typed arguments that are checked before anything is done.

Wrong arguments, refused paths and failed commands are answered in words, never raised: the model
reads what was wrong and goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ft_bench.protocols import ToolCall
from trex_agent.executor.attempts import Attempt, attempts
from trex_agent.executor.jobs import Jobs, ValidationTaken
from trex_agent.executor.shell import Shell, clip
from trex_agent.executor.workspace import OutOfBounds, Workspace, WorkspaceError

__all__ = ["MOST_SECONDS", "Outcome", "Toolbox", "specifications"]

MOST_SECONDS = 600.0


class _Arguments(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Bash(_Arguments):
    """Run a command with bash in the workspace. No network; every process ends with the call."""

    command: str = Field(min_length=1, max_length=20_000)
    seconds: float = Field(default=120.0, gt=0, le=MOST_SECONDS, description="Its time limit.")


class Read(_Arguments):
    """Read lines of a text file."""

    path: str = Field(min_length=1, description="Relative to the workspace.")
    first: int = Field(default=1, ge=1, description="The first line to show; 1 is the file's.")
    lines: int = Field(default=200, ge=1, le=2000)


class Write(_Arguments):
    """Write a whole text file; folders on the way are made."""

    path: str = Field(min_length=1, description="Relative to the workspace.")
    text: str


class Edit(_Arguments):
    """Replace a text that occurs exactly once in a file."""

    path: str = Field(min_length=1, description="Relative to the workspace.")
    old: str = Field(min_length=1)
    new: str


class SubmitJob(_Arguments):
    """Hand a training set over for one variant of the plan: it is checked, built and queued."""

    variant: int = Field(ge=0)
    path: str | None = Field(
        default=None,
        description="JSONL with prompt and answer; without it the plan's own recipe is built.",
    )


class JobStatus(_Arguments):
    """Train and score what is queued, and show where every variant stands."""


class Logs(_Arguments):
    """What is known of a variant's training and of its answers on validation."""

    variant: int = Field(ge=0)


class Finish(_Arguments):
    """End the round with a report. What is still queued is trained first."""

    report: str = Field(min_length=1, max_length=8_000)


_TOOLS: Mapping[str, type[_Arguments]] = {
    "bash": Bash,
    "read": Read,
    "write": Write,
    "edit": Edit,
    "submit_job": SubmitJob,
    "job_status": JobStatus,
    "logs": Logs,
    "finish": Finish,
}
_PROGRAMS = (".py", ".sh", ".pl")


def specifications() -> list[dict[str, Any]]:
    """The tools in OpenAI's chat format."""
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": " ".join((arguments.__doc__ or "").split()),
                "parameters": _schema(arguments),
            },
        }
        for name, arguments in _TOOLS.items()
    ]


def _schema(arguments: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema without the titles that pydantic adds."""
    schema = arguments.model_json_schema()
    properties = {
        name: {key: value for key, value in field.items() if key != "title"}
        for name, field in schema.get("properties", {}).items()
    }
    return {
        "type": "object",
        "properties": properties,
        "required": schema.get("required", []),
        "additionalProperties": False,
    }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call gave back, in words; `tried` is what it reached for and must not have."""

    text: str
    ok: bool
    tried: tuple[Attempt, ...] = ()


@dataclass
class Toolbox:
    """The tools of one node.

    A tool that touches files alone is done once and answered from the journal afterwards; see
    `of_lab`. `report` is what `finish` was given.
    """

    workspace: Workspace
    shell: Shell
    jobs: Jobs
    report: str | None = None
    of_lab: ClassVar[frozenset[str]] = frozenset({"submit_job", "job_status", "logs", "finish"})
    """Tools that only call verbs of the Lab. They are called again after a restart, so that the
    tree shows what it showed; the Lab answers them from the journal."""
    changing: ClassVar[frozenset[str]] = frozenset({"bash", "write", "edit"})
    _do: dict[str, Callable[[Any, str], Outcome]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._do = {
            "bash": self._bash,
            "read": self._read,
            "write": self._write,
            "edit": self._edit,
            "submit_job": self._submit_job,
            "job_status": self._job_status,
            "logs": self._logs,
            "finish": self._finish,
        }

    def call(self, call: ToolCall, key: str) -> Outcome:
        """Do what a model asked for.

        Args:
            call: as it wrote it.
            key: names this call in the journal.

        Raises:
            BudgetExhausted, JobFailed: from the Lab; not the model's to mend.
        """
        if call.name not in _TOOLS:
            return Outcome(f"there is no tool {call.name!r}; expected {', '.join(_TOOLS)}", False)
        try:
            arguments = _TOOLS[call.name].model_validate_json(call.arguments or "{}")
            return self._do[call.name](arguments, key)
        except ValidationError as wrong:
            return Outcome(f"{call.name}: {_said(wrong)}", False)
        except OutOfBounds as refusal:
            path = str(json.loads(call.arguments).get("path", ""))
            return Outcome(str(refusal), False, (Attempt("path", path),))
        except ValidationTaken as refusal:
            return Outcome(str(refusal), False, (Attempt("leak", "validation"),))
        except WorkspaceError as refusal:
            return Outcome(str(refusal), False)

    def _bash(self, given: Bash, key: str) -> Outcome:
        text, ok = self.shell.run(given.command, given.seconds)
        return Outcome(text, ok, self._tried(given.command))

    def _read(self, given: Read, key: str) -> Outcome:
        return Outcome(clip(self.workspace.read(given.path, given.first, given.lines)), True)

    def _write(self, given: Write, key: str) -> Outcome:
        tried = self._tried(given.text) if given.path.endswith(_PROGRAMS) else ()
        return Outcome(self.workspace.write(given.path, given.text), True, tried)

    def _edit(self, given: Edit, key: str) -> Outcome:
        tried = self._tried(given.new) if given.path.endswith(_PROGRAMS) else ()
        return Outcome(self.workspace.edit(given.path, given.old, given.new), True, tried)

    def _submit_job(self, given: SubmitJob, key: str) -> Outcome:
        return Outcome(self.jobs.submit(given.variant, given.path, key), True)

    def _job_status(self, given: JobStatus, key: str) -> Outcome:
        self.jobs.carry_out()
        return Outcome(self.jobs.status(), True)

    def _logs(self, given: Logs, key: str) -> Outcome:
        return Outcome(clip(self.jobs.logs(given.variant)), True)

    def _finish(self, given: Finish, key: str) -> Outcome:
        self.jobs.carry_out()
        self.report = given.report
        return Outcome(self.jobs.status(), True)

    def _tried(self, text: str) -> tuple[Attempt, ...]:
        shown = (self.workspace.root, *self.workspace.data.values(), *self.shell.visible)
        return tuple(attempts(text, shown))


def _said(wrong: ValidationError) -> str:
    """The first fault of some arguments, as one sentence."""
    fault = wrong.errors()[0]
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where + ': ' if where else ''}{fault['msg']}"
