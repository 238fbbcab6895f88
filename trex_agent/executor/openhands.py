"""OpenHands: the rung where an OpenHands agent, in a server of its own, writes the training sets.

Its SDK needs Python 3.12 and keys of its own, so it runs out of process: what goes there are the
task's data and the plan, what comes back are files, its events and what it used.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from ft_bench.protocols import LLM, Lab
from ft_bench.record import Usage
from trex_agent.executor.agent_server import ENDED, AgentServer, State, turns
from trex_agent.executor.code import close, instruction, node_folder
from trex_agent.executor.conversation import Bounds, Ending
from trex_agent.executor.jobs import Jobs
from trex_agent.executor.review import review
from trex_agent.executor.shell import clip
from trex_agent.executor.workspace import WorkspaceError
from trex_agent.prompts import render

__all__ = ["OpenHands", "Remote"]

_TOOLS = {"terminal": "openhands.tools.terminal", "file_editor": "openhands.tools.file_editor"}
SUBMIT = "submit.json"


@dataclass(frozen=True, slots=True)
class Remote:
    """Where the server is and what its agent is made of.

    `folder` is an absolute path on the server below which each node gets a folder; `model` is a
    litellm name, `model_url` the address of an OpenAI-compatible server where the model needs one.
    A round ends after `seconds` or `usd`.
    """

    url: str = "http://127.0.0.1:8000"
    folder: str = "/workspace/ft-bench"
    model: str = ""
    model_url: str = ""
    seconds: float = 3600.0
    usd: float = 5.0
    poll_seconds: float = 2.0


@dataclass(frozen=True)
class OpenHands:
    """Carries nodes out with an OpenHands agent.

    Args:
        llm: the Researcher between rounds; its name is the agent's model unless one is given.
        remote: where the agent is.
        aidp: whether a plan's own recipe may call AIDP.
        bounds: how long a node's conversation may be.
    """

    llm: LLM
    remote: Remote
    aidp: bool = True
    bounds: Bounds = field(default_factory=Bounds)

    @property
    def server(self) -> AgentServer:
        """The server, with the key that this process has for it."""
        return AgentServer(self.remote.url, os.environ.get("OPENHANDS_SESSION_API_KEY", ""))

    def __call__(self, lab: Lab, node: int) -> None:
        """Hold the conversation of a node; whatever it leaves open is trained or given up.

        Raises:
            BudgetExhausted, JobFailed: from the Lab, the server and the model.
        """
        jobs = Jobs(lab, node, node_folder(lab.brief, node), self.aidp)
        ending = self._hold(lab, node, jobs)
        jobs.carry_out()
        close(lab, node, ending, aidp=self.aidp)

    def _hold(self, lab: Lab, node: int, jobs: Jobs) -> Ending:
        name = lab.agree(f"openhands {node}", lambda: {"conversation": str(uuid.uuid4())})
        talk = _Talk(self, jobs, str(name["conversation"]))
        told = instruction(lab, node)
        for number in range(1, self.bounds.rounds + 1):
            told = _agreed(lab, f"executor {node}.{number}", told)
            why = talk.round(number, told)
            left = self.bounds.rounds - number
            if why:
                return Ending("gave up", why, talk.report, number, talk.turns)
            if not left:
                break
            following, _ = review(
                lab,
                self.llm,
                f"{node}.{number}",
                left,
                instruction=told,
                status=jobs.status(),
                report=talk.report,
            )
            if following is None:
                break
            told = following
        return Ending("finished", "", talk.report, number, talk.turns)


class _Talk:
    """One node's conversation on the server.

    Args:
        rung: where it is held, and its bounds.
        jobs: the node's trainings.
        conversation: its id on the server.
    """

    def __init__(self, rung: OpenHands, jobs: Jobs, conversation: str) -> None:
        self.remote, self.bounds, self.server = rung.remote, rung.bounds, rung.server
        self.model = rung.remote.model or rung.llm.name
        self.jobs, self.conversation = jobs, conversation
        self.spent = State("idle", 0, 0.0)
        self.turns, self.report = 0, ""
        run = jobs.lab.brief.workspace.parent.name
        self.folder = f"{self.remote.folder.rstrip('/')}/{run}/node-{jobs.node:03d}"

    def round(self, number: int, told: str) -> str:
        """One round, within a reservation; "" where it ended well, else why it did not.

        After a restart the conversation is still on the server and is gone on with.
        """
        key = f"executor {self.jobs.node}.{number}.1"
        most = Usage(tokens=self.bounds.tokens, usd=self.remote.usd)
        purpose = f"OpenHands works on node {self.jobs.node}"
        done = self.jobs.lab.call(key, most, lambda: self._make(number, told), purpose)
        self.spent = State("idle", int(done["tokens_so_far"]), float(done["usd_so_far"]))
        self.turns, self.report = self.turns + len(done["turns"]), str(done["text"])
        for index, turn in enumerate(done["turns"]):
            _line(self.jobs.lab, f"{key}.{index}", turn)
        self._submit(key, done["submitted"])
        return str(done["why"])

    def _make(self, number: int, told: str) -> tuple[Any, Usage]:
        self._begin(number, told)
        state, why = self._wait()
        used = Usage(tokens=state.tokens - self.spent.tokens, usd=state.usd - self.spent.usd)
        value = {
            "asked": [{"role": "user", "content": told}],
            "text": self.server.said(self.conversation),
            "calls": [],
            "finish": "stop",
            "model": self.model,
            "tokens": used.tokens,
            "usd": used.usd,
            "tokens_so_far": state.tokens,
            "usd_so_far": state.usd,
            "why": why,
            **self._collect(number),
        }
        return value, used

    def _begin(self, number: int, told: str) -> None:
        """Start the round, unless a process that died has begun it already."""
        known = self.server.state(self.conversation)
        if known is None:
            for name, path in self.jobs.workspace.data.items():
                self.server.upload(path, f"{self.folder}/{name}")
            self.server.start(self._request(told))
        elif number > 1 and known.status in ENDED and known.tokens == self.spent.tokens:
            self.server.say(self.conversation, told)

    def _request(self, told: str) -> dict[str, Any]:
        most = self.jobs.lab.brief.max_samples
        text = render("openhands", folder=self.folder, max_samples=most, instruction=told)
        model: dict[str, Any] = {"usage_id": "agent", "model": self.model}
        if self.remote.model_url:
            model["base_url"] = self.remote.model_url
        if key := os.environ.get("OPENHANDS_LLM_API_KEY"):
            model["api_key"] = key
        return {
            "conversation_id": self.conversation,
            "agent": {"kind": "Agent", "llm": model, "tools": [{"name": name} for name in _TOOLS]},
            "tool_module_qualnames": _TOOLS,
            "workspace": {"kind": "LocalWorkspace", "working_dir": self.folder},
            "initial_message": {
                "role": "user",
                "content": [{"type": "text", "text": text}],
                "run": True,
            },
            "max_iterations": self.bounds.turns,
            "autotitle": False,
        }

    def _wait(self) -> tuple[State, str]:
        """Wait until the round has ended: the state then, and why it came to nothing, if so."""
        until = time.monotonic() + self.remote.seconds
        lost = State("lost by the server", self.spent.tokens, self.spent.usd)
        while True:
            state = self.server.state(self.conversation) or lost
            if state.status == "finished":
                return state, ""
            if state.status in ENDED or state is lost:
                return state, f"the conversation on the agent server is {state.status}"
            why = self._over(state, until)
            if why:
                self.server.pause(self.conversation)
                return state, why
            time.sleep(self.remote.poll_seconds)

    def _over(self, state: State, until: float) -> str:
        if state.tokens - self.spent.tokens > self.bounds.tokens:
            return f"the round used more than {self.bounds.tokens} tokens"
        if state.usd - self.spent.usd > self.remote.usd:
            return f"the round cost more than {self.remote.usd:g} USD"
        return f"the round took over {self.remote.seconds:g} s" if time.monotonic() > until else ""

    def _collect(self, number: int) -> dict[str, Any]:
        """The calls of a round, and the files that it submitted, kept in the workspace."""
        kept: dict[str, str | None] = {}
        for variant, name in _submission(self.server.download(f"{self.folder}/{SUBMIT}")).items():
            if name is None:
                kept[variant] = None
                continue
            data = self.server.download(f"{self.folder}/{name}")
            kept[variant] = f"round-{number}-{variant}.jsonl"
            (self.jobs.workspace.root / str(kept[variant])).write_bytes(data or b"")
        made = turns(self.server.events(self.conversation))[self.turns :]
        lines = [[turn.name, clip(turn.arguments), clip(turn.text), turn.ok] for turn in made]
        return {"turns": lines, "submitted": kept}

    def _submit(self, key: str, submitted: dict[str, str | None]) -> None:
        """Hand over what was submitted; what is refused is told with the variants' status."""
        for variant, name in sorted(submitted.items()):
            try:
                self.jobs.submit(int(variant), name, f"{key.partition(' ')[2]}.{variant}")
            except WorkspaceError as refusal:
                self.jobs.refused[int(variant)] = str(refusal)
        self.jobs.carry_out()


def _agreed(lab: Lab, key: str, told: str) -> str:
    return str(lab.agree(key, lambda: {"who": "researcher", "text": told})["text"])


def _line(lab: Lab, key: str, turn: list[Any]) -> None:
    name, arguments, text, ok = turn
    value = {"who": "tool", "name": name, "arguments": arguments, "text": text, "ok": ok}
    lab.call(key, Usage(), lambda: ({**value, "tried": []}, Usage()), f"{name} on the server")


def _submission(data: bytes | None) -> dict[str, str | None]:
    """Variant to file name; nothing where the file is missing or is not what was asked for.

    A name with a folder in it leads to no file of ours: only its last part is taken.
    """
    try:
        given = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(given, dict):
        return {}
    return {
        str(variant): None if name is None else str(name).rpartition("/")[2]
        for variant, name in given.items()
        if str(variant).isdigit()
    }
