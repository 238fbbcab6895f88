"""Foreign: the bench for agents of other benchmarks, which train by themselves.

They hold a slot for as long as they run, so their wall time is device time. A model that they want
scored, or leave behind, is taken in by its weights: one node each, on validation only.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ft_bench.adopt import fingerprint
from ft_bench.doors.host import Program, host
from ft_bench.doors.verbs import VERBS, Verb
from ft_bench.errors import BudgetExhausted, JobFailed, PrerequisiteError
from ft_bench.lab import BASE, MeteredLab
from ft_bench.plan import ExperimentPlan, Provenance, Variant
from ft_bench.record import Diagnosis, Evaluated, Opened, Reserved, Settled, Usage
from ft_bench.weights import local_folder

__all__ = ["Foreign", "base_folder", "inherited", "name_of"]

_SLICE_SECONDS = 30.0
_LEAST_RESERVE_SECONDS = 2.0
_EVALUATIONS_KEPT = 3.0


class _Grade(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str


class Foreign:
    """One foreign agent at one Lab.

    Args:
        lab: the metered bench.
        seconds: the longest that the agent may take, besides the limits of the run.
    """

    def __init__(self, lab: MeteredLab, seconds: float) -> None:
        self.lab = lab
        left = lab.ledger.meter.remaining("device_seconds") - self._kept()
        self.seconds = max(0.0, min(seconds, lab.ledger.wall_left(), left))
        self._models: dict[str, str] = {}
        self._scored: list[dict[str, Any]] = []

    @property
    def verbs(self) -> Mapping[str, Verb]:
        """What such an agent's tools may ask: the task, the time, and a score."""
        grade = Verb(_Grade, lambda _, args: self.grade(args.path), lambda _: "grade")
        return {"brief": VERBS["brief"], "budget": VERBS["budget"], "grade": grade}

    def run(self, program: Program, isolation: str, final: Path | None) -> None:
        """Run the agent, then enter the model that it leaves at `final`, or its best.

        Raises:
            BudgetExhausted, AgentFailed, IntegrityError, JobFailed: as `host`.
        """
        tick = _Occupancy(self.lab, self._kept())
        try:
            host(
                self.lab,
                replace(program, seconds=max(1.0, self.seconds)),
                isolation,
                verbs=self.verbs,
                tick=tick,
            )
        finally:
            tick.close()
            self._enter(final)

    def grade(self, path: str, *, final: bool = False) -> dict[str, Any]:
        """Score a model folder of the workspace on validation; the same weights only once.

        Raises:
            JobFailed: where it is no model that may be scored, or scoring fails.
            BudgetExhausted: where no iteration or device time is left; one is kept for the end.
        """
        weights = fingerprint(Path(path), self.lab.brief.workspace)
        if weights not in self._models:
            if not final and len(self.lab.tree) and self.lab.remaining().iterations <= 1:
                raise BudgetExhausted(
                    "iterations", "the last iteration is kept for the model that is left at the end"
                )
            self._models[weights] = self._take(path, weights)
        return self._score(path, self._models[weights])

    def _take(self, path: str, weights: str) -> str:
        """One node for one model."""
        number = len(self.lab.tree)
        plan = ExperimentPlan(
            strategy="establish_baseline",
            objective=f"The agent's own training left weights {weights[:12]}",
            variants=(Variant(replica=number),),
            provenance=Provenance(kind="foreign"),
        )
        node = self.lab.propose(0 if number else None, plan)
        try:
            return self.lab.adopt(node, 0, Path(path)).model
        except JobFailed as failure:
            self.lab.conclude(node, Diagnosis(verdict="failed", text=failure.cause))
            raise

    def _score(self, path: str, model: str) -> dict[str, Any]:
        scored = self.lab.evaluate(model)
        if scored.node is not None:
            self.lab.conclude(scored.node, Diagnosis(text=f"{path} was scored on validation"))
        base = self._base()
        entry = {
            "submission_id": len(self._scored) + 1,
            "model": model,
            "model_path": path,
            "metric": scored.score.metric,
            "score": scored.score.value,
            "baseline_score": base,
            "improvement": round(scored.score.value - base, 6),
        }
        self._scored.append(entry)
        order = -1 if self.lab.tree.direction == "min" else 1
        best = max(self._scored, key=lambda item: order * float(item["score"]))
        return {**entry, "best": best, "total_submissions": len(self._scored)}

    def _base(self) -> float:
        return self.lab.tree.base.value if self.lab.tree.base else 0.0

    def _enter(self, final: Path | None) -> None:
        """Submit what was left; without it the best on validation is the entry."""
        folder = self.lab.brief.workspace / final if final is not None else None
        if folder is None or not folder.is_dir():
            return
        try:
            model = self.grade(str(final), final=True)["model"]
        except JobFailed as failure:
            if failure.kind == "INFRA":
                raise
            if failure.cause.startswith("not the base"):
                self.lab.flag("other-model", f"{final}: {failure.cause}")
            return
        except BudgetExhausted:
            return
        self.lab.submit(model, f"the model that the agent left in {final}")

    def _kept(self) -> float:
        """Device-seconds that are kept for scoring what the agent leaves."""
        seen = self.lab.ledger.seen(f"evaluated {BASE}")
        cost = seen.device_seconds if isinstance(seen, Evaluated) else 0.0
        return max(_LEAST_RESERVE_SECONDS, _EVALUATIONS_KEPT * cost)


class _Occupancy:
    """Charges the slot that a program holds, slice by slice, before each slice is used.

    A slice that a dead harness left open is settled by the last sign of life in the attempt's
    folder, as a job's is.
    """

    def __init__(self, lab: MeteredLab, kept: float) -> None:
        self._ledger, self._kept = lab.ledger, kept
        attempt = sum(isinstance(body, Opened) for body in lab.ledger.journal.bodies)
        self._folder = f"attempts/{max(1, attempt)}"
        self._open: tuple[str, float, float] | None = None

    def __call__(self) -> None:
        """Go on into the next slice where this one is used up.

        Raises:
            BudgetExhausted: where nothing is left but what is kept for scoring.
        """
        if self._open is not None and time.monotonic() - self._open[2] < self._open[1]:
            return
        self.close()
        with self._ledger.lock:
            left = self._ledger.meter.remaining("device_seconds") - self._kept
            if left <= 0:
                raise BudgetExhausted(
                    "device_seconds",
                    "The agent's own training has used its device-seconds; raise "
                    "--budget.device-hours",
                )
            amount = min(_SLICE_SECONDS, left)
            name = f"{self._folder}#{len(self._ledger.journal.events)}"
            used = Usage(device_seconds=amount)
            self._ledger.record(
                Reserved(reservation=name, amount=used, purpose="The agent holds a slot")
            )
        self._open = (name, amount, time.monotonic())

    def close(self) -> None:
        """Settle the slice that is open."""
        if self._open is None:
            return
        name, amount, since = self._open
        self._open = None
        used = Usage(device_seconds=min(amount, time.monotonic() - since))
        self._ledger.record(Settled(reservation=name, used=used))


def base_folder(lab: MeteredLab) -> Path:
    """The folder of the permitted base model, which such an agent loads by itself.

    Raises:
        PrerequisiteError: where its weights are not on this machine.
    """
    found = local_folder(lab.setting.base.base)
    if found is None:
        raise PrerequisiteError(
            f"the weights of {lab.setting.base.base} are not on this machine, and an agent that "
            "trains by itself needs them; download them, or give --base-model a folder"
        )
    return found


def inherited(names: str) -> dict[str, str]:
    """The variables that an agent gets from the caller's environment, from "A,B".

    Raises:
        PrerequisiteError: names those that are not set.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    missing = [name for name in wanted if name not in os.environ]
    if missing:
        raise PrerequisiteError(
            f"{', '.join(missing)} is not set; set and export it, as asked by -A"
        )
    return {name: os.environ[name] for name in wanted}


def name_of(folder: Path) -> str:
    """A folder's name as it can stand in a run id."""
    return re.sub(r"[^a-z0-9_.-]+", "-", folder.name.lower()).strip("-.") or "agent"
