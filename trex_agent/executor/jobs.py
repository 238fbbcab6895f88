"""Jobs: from a file that a model wrote to a dataset, a training and a score, by the Lab alone.

`submit` takes a copy of the file, named by its content, and has the Lab build it; `carry_out`
trains and scores what is queued. All of it is answered from the journal when it is asked for again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ft_bench.errors import JobFailed
from ft_bench.plan import DataRecipe, Source
from ft_bench.protocols import Lab
from ft_bench.tree import Outcome
from trex_agent.executor.recipe import train_all
from trex_agent.executor.workspace import OutOfBounds, Workspace, WorkspaceError

__all__ = ["WRITTEN", "Jobs", "ValidationTaken"]

WRITTEN = "written"
"""The folder of accepted files, below the run's workspace; no program of a model writes there."""


class ValidationTaken(WorkspaceError):
    """A training set that is made of validation rows."""


@dataclass
class Jobs:
    """The trainings of one node that a model asked for.

    Args:
        lab: the metered bench.
        node: whose variants are trained.
        workspace: where the files lie.
        aidp: whether a recipe that calls AIDP may be built.

    Attributes:
        queued: datasets that wait for their training, by variant.
        refused: why a file was not taken, by variant, where no later one was.
    """

    lab: Lab
    node: int
    workspace: Workspace
    aidp: bool = True
    queued: dict[int, str] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)

    def submit(self, variant: int, path: str | None, call: str) -> str:
        """Take a training set for a variant: checked, copied, built, queued.

        Args:
            variant: of the node's plan.
            path: JSONL below the workspace, one object a row with the texts `prompt` and `answer`;
                None to build the plan's own recipe.
            call: names the call in the journal.

        Raises:
            WorkspaceError: what is wrong with the file or the variant, for the model to mend.
        """
        outcome = self._outcome(variant)
        failure = outcome.failure
        if outcome.trained is not None or (failure is not None and failure.phase != "build"):
            raise WorkspaceError(f"variant {variant} was trained already; each is trained once")
        recipe = self._own(outcome) if path is None else self._written(path, call)
        try:
            built = self.lab.build(self.node, recipe)
        except JobFailed as failed:
            refusal = ValidationTaken if failed.kind == "DATA_LEAK" else WorkspaceError
            raise refusal(f"the dataset was refused: {failed}") from failed
        self.queued[variant] = built.dataset
        self.refused.pop(variant, None)
        return (
            f"variant {variant} is queued with {built.rows} rows, dataset {built.dataset[:12]}; "
            "job_status trains and scores what is queued"
        )

    def _own(self, outcome: Outcome) -> DataRecipe:
        if outcome.recipe.steps and not self.aidp:
            raise WorkspaceError(
                "the plan's recipe calls AIDP, which is switched off; write a file and give its "
                "path"
            )
        return outcome.recipe

    def _written(self, path: str, call: str) -> DataRecipe:
        staged = self.lab.agree(
            f"staged {call.partition(' ')[2] or call}", lambda: self._stage(path)
        )
        if "error" in staged:
            refusal = OutOfBounds if staged["out"] else WorkspaceError
            raise refusal(str(staged["error"]))
        source = Source(id=str(staged["file"]), revision=str(staged["sha256"]))
        return DataRecipe(sources=(source,), max_samples=int(staged["rows"]))

    def _outcome(self, variant: int) -> Outcome:
        outcomes = self.lab.tree.node(self.node).outcomes
        if not 0 <= variant < len(outcomes):
            raise WorkspaceError(
                f"there is no variant {variant}; expected 0 to {len(outcomes) - 1}"
            )
        return outcomes[variant]

    def carry_out(self) -> None:
        """Train and score everything that is queued, side by side where slots allow.

        Raises:
            BudgetExhausted, JobFailed: as `train_all`.
        """
        ready, self.queued = sorted(self.queued.items()), {}
        train_all(self.lab, self.node, ready)

    def status(self) -> str:
        """One line for each variant of the plan, and why a file was refused, where one was."""
        lines = [
            _line(outcome, outcome.index in self.queued)
            for outcome in self.lab.tree.node(self.node).outcomes
        ]
        lines += [f"refused for variant {index}: {why}" for index, why in self.refused.items()]
        return "\n".join(lines)

    def logs(self, variant: int) -> str:
        """What the Lab knows of a variant's training and of its answers on validation.

        Raises:
            WorkspaceError: there is no such variant.
        """
        outcome = self._outcome(variant)
        lines = [_line(outcome, variant in self.queued)]
        if (trained := outcome.trained) is not None:
            lines.append(
                f"{trained.samples} rows seen in {trained.steps} steps, {trained.tokens} tokens; "
                f"loss {trained.train_loss} at first, {trained.final_loss} at last; "
                f"{trained.truncated:.1%} of the texts were cut"
            )
        if trained is not None and outcome.score is not None:
            lines += _wrong(self.lab.items(trained.model))
        return "\n".join(lines)

    def _stage(self, path: str) -> dict[str, Any]:
        """Check a file and copy it by its content: its name, hash and rows, or what is wrong."""
        folder = self.lab.brief.workspace / WRITTEN
        folder.mkdir(exist_ok=True)
        part = folder / f".{self.node}.part"
        hasher, count = hashlib.sha256(), 0
        try:
            with os.fdopen(self.workspace.open(path), "rb") as lines, part.open("wb") as out:
                for line in _rows(lines, self.lab.brief.max_samples):
                    count += 1
                    hasher.update(line)
                    out.write(line)
            if not count:
                raise WorkspaceError(f"{path!r} holds no row; expected one JSON object a line")
        except WorkspaceError as refusal:
            part.unlink(missing_ok=True)
            return {"error": str(refusal), "out": isinstance(refusal, OutOfBounds)}
        name = f"{hasher.hexdigest()[:24]}.jsonl"
        part.replace(folder / name)
        return {"file": f"{WRITTEN}/{name}", "sha256": hasher.hexdigest(), "rows": count}


def _rows(lines: Iterable[bytes], most: int) -> Iterator[bytes]:
    """The rows of a JSONL file as lines of one form: `prompt` and `answer` alone.

    Raises:
        WorkspaceError: names the line and what is wrong with it.
    """
    count = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        count += 1
        if count > most:
            raise WorkspaceError(f"there are more than {most} rows, the most that one may have")
        yield _row(line, number)


def _row(line: bytes, number: int) -> bytes:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as cause:
        raise WorkspaceError(f"line {number} is no JSON: {cause}") from cause
    texts = [row.get(name) for name in ("prompt", "answer")] if isinstance(row, dict) else []
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise WorkspaceError(
            f"line {number} is no object with the texts 'prompt' and 'answer', both not blank"
        )
    kept = {"prompt": texts[0], "answer": texts[1]}
    return json.dumps(kept, ensure_ascii=True).encode() + b"\n"


def _line(outcome: Outcome, queued: bool) -> str:
    if outcome.score is not None:
        ci = outcome.score.ci
        state = (
            f"{outcome.score.metric} {outcome.score.value:.4f} on validation "
            f"[{ci.low:.4f}, {ci.high:.4f}], {outcome.score.invalid} of {outcome.score.n} answers "
            "without a valid form"
        )
    elif outcome.failure is not None:
        state = f"failed with {outcome.failure.failure}: {outcome.failure.cause}"
    else:
        state = "queued" if queued else "open: no dataset was submitted"
    return f"variant {outcome.index}: {state}"


def _wrong(items: list[dict[str, Any]], most: int = 5) -> list[str]:
    bad = [item for item in items if item.get("value", 1.0) < 1.0]
    lines = [f"{len(bad)} of {len(items)} items are not fully right; the first of them:"]
    lines += [
        f"- {item.get('id')}: said {str(item.get('output', ''))[:160]!r}" for item in bad[:most]
    ]
    return lines if bad else []
