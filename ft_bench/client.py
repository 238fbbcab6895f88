"""Client: the Lab for a Python program in a process of its own.

```python
from ft_bench.client import connect

lab = connect()  # in a program that `ft-bench eval --agent agent.toml` started
print(lab.brief.text)
```
It has the verbs of `ft_bench.protocols.Lab` and raises the same errors.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ft_bench.errors import FailureKind, FtBenchError, ModelFailed
from ft_bench.plan import DataRecipe, ExperimentPlan
from ft_bench.protocols import LLM, Brief, Reply, ToolCall
from ft_bench.record import Body, Built, Diagnosis, Evaluated, Trained, Usage
from ft_bench.steering import Steering
from ft_bench.task import Metric
from ft_bench.tree import Tree
from ft_bench.wire import Line, address

__all__ = ["RemoteLab", "connect"]

_BODY: TypeAdapter[Any] = TypeAdapter(Body)


def connect(environment: Mapping[str, str] | None = None) -> RemoteLab:
    """The Lab of the run that started this program.

    Raises:
        PrerequisiteError: where no run did, or it has ended.
    """
    path, token = address(os.environ if environment is None else environment)
    return RemoteLab(path, token)


class RemoteLab:
    """A Lab over its socket. Thread-safe: each call that is under way has a connection.

    Args:
        path: of the socket.
        token: of the run.
    """

    def __init__(self, path: Path, token: str) -> None:
        self._path, self._token = path, token
        self._idle: list[Line] = []
        self._lock = threading.Lock()
        self._calling = threading.local()
        self.brief = self._brief()
        metric = self.brief.metric
        self._tree, self._seen = Tree(direction=metric.direction), 0

    @property
    def tree(self) -> Tree:
        """All nodes so far, as the Lab has them now."""
        with self._lock:
            since = self._seen
        fresh = self._ask("events", since=since)
        with self._lock:
            for body in fresh[self._seen - since :]:
                self._tree = self._tree.with_body(_BODY.validate_python(body))
                self._seen += 1
            return self._tree

    def remaining(self) -> Usage:
        """What is left of each limit; infinite where there is none."""
        left = self._ask("budget")
        values: dict[str, Any] = {
            name: math.inf if value is None else value for name, value in left.items()
        }
        return Usage.model_construct(None, **values)

    def propose(self, parent: int | None, plan: ExperimentPlan) -> int:
        """Open a node. Costs one iteration, but for the root."""
        answer = self._ask("propose", parent=parent, plan=plan.model_dump(mode="json"))
        return int(answer["node"])

    def build(self, node: int, recipe: DataRecipe) -> Built:
        """Make a dataset; a failure is recorded and raised."""
        answer = self._ask("build", node=node, recipe=recipe.model_dump(mode="json"))
        return Built.model_validate(answer)

    def train(self, node: int, variant: int, dataset: str, replica: int = 0) -> Trained:
        """Train one variant of a node's plan; a failure is recorded and raised."""
        answer = self._ask("train", node=node, variant=variant, dataset=dataset, replica=replica)
        return Trained.model_validate(answer)

    def evaluate(self, model: str) -> Evaluated:
        """Score a trained model, or "base", on validation."""
        return Evaluated.model_validate(self._ask("evaluate", model=model))

    def items(self, model: str) -> list[dict[str, Any]]:
        """Per-item outcomes of an evaluated model on validation."""
        found: list[dict[str, Any]] = self._ask("items", model=model)
        return found

    def probability_better(self, model: str, other: str) -> float:
        """P(model beats other on validation), by the paired item bootstrap."""
        return float(self._ask("compare", model=model, other=other)["probability"])

    def steering(self) -> Steering:
        """Take in what a person has told the run, and show it."""
        self._ask("steering")
        return self.tree.steering

    def conclude(self, node: int, diagnosis: Diagnosis) -> None:
        """Close a node."""
        self._ask("conclude", node=node, diagnosis=diagnosis.model_dump(mode="json"))

    def give_up(self, node: int, cause: str, kind: FailureKind = "EXECUTOR_GAVE_UP") -> None:
        """Record why nothing of a node can be carried out: it fails with that."""
        self._ask("give_up", node=node, cause=cause, kind=kind)

    def keep(self, node: int, name: str, text: str) -> None:
        """File a text in a node's folder, for people."""
        self._ask("keep", node=node, name=name, text=text)

    def submit(self, model: str, reason: str) -> None:
        """Name the model that goes to the sealed test."""
        self._ask("submit", model=model, reason=reason)

    def agree(self, key: str, make: Callable[[], Any]) -> Any:
        """A decision as JSON data, made once and the same after every restart."""
        answer = self._ask("agree", key=key)
        if not answer["known"]:
            answer = self._ask("agree", key=key, value=make(), decide=True)
        return answer["value"]

    def call(
        self, key: str, reserve: Usage, make: Callable[[], tuple[Any, Usage]], purpose: str = ""
    ) -> Any:
        """Outside work done once by this process; the Lab keeps the books and the answer."""
        args = {"key": key, "reserve": reserve.model_dump(mode="json"), "purpose": purpose}
        with self._line() as line:
            answer = line.ask("call", args)
            if not answer["known"]:
                self._calling.key = key
                answer = line.ask("settle", _settled(line, make))
            return answer["value"]

    def model(self) -> LLM | None:
        """The run's language model, asked in the harness; None where the run has none."""
        found = self._ask("model")
        return None if found is None else _RemoteLLM(self, found["name"], found["priced"])

    def ask_model(self, verb: str, **question: Any) -> Any:
        """A question to the run's model, within the call that this thread is in."""
        return self._ask(verb, key=getattr(self._calling, "key", ""), **question)

    def close(self) -> None:
        """Hang up; a further question connects again."""
        with self._lock:
            idle, self._idle = self._idle, []
        for line in idle:
            line.close()

    def _brief(self) -> Brief:
        data = self._ask("brief")
        paths = {name: Path(data[name]) for name in ("train", "validation", "workspace")}
        given = {"insights": tuple(data["insights"])}
        return Brief(**{**data, **paths, **given, "metric": Metric.model_validate(data["metric"])})

    def _ask(self, verb: str, **args: Any) -> Any:
        with self._line() as line:
            return line.ask(verb, args)

    @contextmanager
    def _line(self) -> Iterator[Line]:
        with self._lock:
            line = self._idle.pop() if self._idle else None
        line = line or Line(self._path, self._token)
        try:
            yield line
        except BaseException:
            line.close()
            raise
        with self._lock:
            self._idle.append(line)


class _RemoteLLM:
    """A language model that the harness asks for us: an `LLM`."""

    def __init__(self, lab: RemoteLab, name: str, priced: bool) -> None:
        self.name, self.priced, self._lab = name, priced, lab

    def worst(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        max_tokens: int,
    ) -> Usage:
        """The most that one call can use."""
        asked = {"messages": list(messages), "tools": list(tools), "max_tokens": max_tokens}
        return Usage.model_validate(self._lab.ask_model("worst", **asked))

    def complete(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        max_tokens: int = 4096,
    ) -> Reply:
        """One answer, within a call of this thread."""
        asked = {"messages": list(messages), "tools": list(tools), "max_tokens": max_tokens}
        data = self._lab.ask_model("complete", **asked)
        calls = tuple(ToolCall(**call) for call in data["calls"])
        return Reply(**{**data, "calls": calls, "usage": Usage.model_validate(data["usage"])})


def _settled(line: Line, make: Callable[[], tuple[Any, Usage]]) -> dict[str, Any]:
    """Do a call's work; one that gave no answer is reported as such before it is raised."""
    try:
        value, used = make()
    except ModelFailed as failure:
        end = {"charged": failure.charged, "transient": failure.transient}
        with suppress(FtBenchError):
            line.ask("settle", {"failed": failure.cause or "no answer", **end})
        raise
    return {"value": value, "used": used.model_dump(mode="json")}
