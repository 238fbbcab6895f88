"""Lab: the metered bench. Every verb is journalled, charged, and answered once.

A verb that the journal already holds is answered from it, so an interrupted run resumes by
running its agent again: see `docs/design/resume.md`.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from ft_bench import registry
from ft_bench.adopt import adopt_model
from ft_bench.audit import Reference, tolerated
from ft_bench.control import add_note, read_notes, read_orders
from ft_bench.dataset import Datasets
from ft_bench.digest import derive_seed, digest
from ft_bench.errors import FailureKind, JobFailed, PlanInvalid, PlanRefused, UsageError
from ft_bench.files import write_json, write_text
from ft_bench.job import (
    OUTCOME_FILE,
    Job,
    JobOutcome,
    ModelRef,
    Training,
    finished,
    read_outcome,
)
from ft_bench.ledger import Ledger
from ft_bench.outcome import filed, read_items, read_samples, score_of, statistics_of
from ft_bench.plan import DataRecipe, ExperimentPlan, Variant, check_plan
from ft_bench.prepare import read_rows
from ft_bench.protocols import Approve, Brief, Cluster, Row
from ft_bench.record import (
    Agreed,
    Built,
    Concluded,
    Diagnosis,
    Evaluated,
    Failed,
    Flagged,
    Lineage,
    Overlap,
    Planned,
    Refused,
    Selected,
    Steered,
    Trained,
    Usage,
)
from ft_bench.setting import Setting, brief_of, evaluate_job, train_job
from ft_bench.stats import probability_better
from ft_bench.steering import Steering
from ft_bench.tree import Node, Tree
from ft_bench.weights import weights_digest

__all__ = ["BASE", "MeteredLab", "Setting", "model_id"]

BASE = "base"
_MOST_KEPT = 16
T = TypeVar("T")
Phase = Literal["plan", "build", "train", "evaluate"]


def model_id(node: int, variant: int, replica: int = 0) -> str:
    """The name of a trained model: "n3v1", and "n3v1r2" for its second confirmation."""
    return f"n{node}v{variant}" + (f"r{replica}" if replica else "")


class MeteredLab:
    """The Lab of one run, over its ledger and a cluster.

    Args:
        setting: what is fixed.
        ledger: the run's books.
        cluster: where jobs run.
        datasets: makes datasets.
        approve: asks a person about each plan below the root; None asks nobody.
    """

    def __init__(
        self,
        setting: Setting,
        ledger: Ledger,
        cluster: Cluster,
        datasets: Datasets,
        approve: Approve | None = None,
    ) -> None:
        self.setting, self.ledger, self.cluster = setting, ledger, cluster
        self.datasets, self._approve = datasets, approve
        self.paths = ledger.journal.paths
        self.submitted: Selected | None = None

    # --- what an agent may see -------------------------------------------------------------

    @cached_property
    def brief(self) -> Brief:
        """The task, its data and the limits."""
        workspace = self.paths.root / "workspace"
        workspace.mkdir(exist_ok=True)
        return brief_of(self.setting, workspace, self.cluster.slots)

    @property
    def tree(self) -> Tree:
        """All nodes so far."""
        return self.ledger.tree

    def remaining(self) -> Usage:
        """What is left of each limit.

        Iterations count the nodes shown so far, so that an agent run again after a restart sees
        what it saw the first time.
        """
        with self.ledger.lock:
            used = sum(node.parent is not None for node in self.tree)
            return Usage.model_construct(
                iterations=self.setting.budget.iterations - used,
                device_seconds=self.ledger.meter.remaining("device_seconds"),
                wall_seconds=self.ledger.wall_left(),
                tokens=self.ledger.meter.remaining("tokens"),
                usd=self.ledger.meter.remaining("usd"),
            )

    def items(self, model: str) -> list[dict[str, Any]]:
        """Per-item outcomes of an evaluated model on validation."""
        return read_samples(self._samples(model))

    def probability_better(self, model: str, other: str) -> float:
        """P(model beats other on validation), by the paired item bootstrap."""
        scorer, rows = self.setting.scorer, self._rows
        mine, theirs = (statistics_of(self._samples(name), rows, scorer) for name in (model, other))
        return probability_better(
            mine,
            theirs,
            scorer.value,
            seed=derive_seed(self.setting.seed, "compare", model, other),
            direction=self.tree.direction,
        )

    # --- the verbs -------------------------------------------------------------------------

    def propose(self, parent: int | None, plan: ExperimentPlan) -> int:
        """Open a node. Costs one iteration, but for the root."""
        with self.ledger.lock:
            key = f"planned {parent} {digest(plan)}"
            if (known := self.ledger.show(key)) is not None:
                return int(known.node)
            if parent is not None and self.ledger.show(f"refused {key[8:]}") is not None:
                raise PlanRefused(f"a person has refused the plan {plan.objective!r} already")
            self._check_plan(parent, plan)
            if parent is not None:
                self.ledger.meter.check(Usage(iterations=1), "A further node")
                self.ledger.check_wall()
                self._ask(parent, plan)
            node = sum(isinstance(body, Planned) for body in self.ledger.journal.bodies)
            self.ledger.record(Planned(node=node, parent=parent, plan=plan))
            return node

    def _check_plan(self, parent: int | None, plan: ExperimentPlan) -> None:
        if (parent is None) != (len(self.tree) == 0):
            raise PlanInvalid(
                f"parent {parent!r} does not fit a tree of {len(self.tree)} nodes; the first node "
                "has no parent and every other has one"
            )
        if parent is not None and parent not in self.tree.nodes:
            raise PlanInvalid(f"parent {parent!r} is no node; expected 0 to {len(self.tree) - 1}")
        best = self.tree.node(parent).best(self.tree.direction) if parent is not None else None
        origin = (best.recipe, best.variant) if best else None
        earlier = [node.plan.essence() for node in self.tree]
        check_plan(plan, origin, earlier, self.setting.budget.variants)
        for wanted in plan.configurations():
            banned = self.tree.forbidden(parent, wanted)
            if banned is not None:
                raise PlanInvalid(
                    f"the plan {plan.objective!r} uses {banned}, which a person has banned; leave "
                    "it out, or lift it with `ft-bench runs unban`"
                )

    def _ask(self, parent: int, plan: ExperimentPlan) -> None:
        """Ask a person, where one wants to be asked; a refusal is journalled."""
        if self._approve is None:
            return
        answer = self._approve(self.tree, parent, plan)
        if answer.note:
            add_note(self.paths, answer.note)
        if not answer.yes:
            self.ledger.record(Refused(parent=parent, plan=plan, reason=answer.reason))
            why = answer.reason or "no reason given"
            raise PlanRefused(f"a person refused the plan {plan.objective!r}: {why}")

    def steering(self) -> Steering:
        """Take in what a person has told the run, and show it in the tree.

        What was decided before a restart is not decided again: orders that came later wait for
        the first decision that the journal does not hold.
        """
        with self.ledger.lock:
            at = len(self.tree) + len(self.tree.refused)
            decided = sum(isinstance(b, Planned | Refused) for b in self.ledger.journal.bodies)
            if self.ledger.show(f"steered {at}") is None and decided <= at:
                self._take_in(at)
            return self.tree.steering

    def _take_in(self, at: int) -> None:
        before = self.tree.steering
        orders, lines = read_orders(self.paths, before.lines)
        notes = read_notes(self.paths)
        if lines > before.lines or notes != before.notes:
            changed = notes if notes != before.notes else None
            self.ledger.record(Steered(at=at, lines=lines, orders=orders, notes=changed))

    def build(self, node: int, recipe: DataRecipe) -> Built:
        """Make a dataset, or find the one that the same recipe made before."""
        key = f"built {node} {digest(recipe)}"
        with self.ledger.lock:
            if (known := self.ledger.show(key)) is not None:
                return _answer(known, Built)
            self._node(node)
            self.ledger.check_wall()
            started = time.monotonic()
            try:
                self._check_sources(recipe)
                made = self.datasets.build(recipe, self.brief.max_samples)
                overlap = self._validation.overlap(made.prompts())
                self._check_leak(overlap)
            except JobFailed as failure:
                raise self._failed(node, None, "build", failure, key=key) from failure
            body = Built(
                node=node,
                recipe=recipe,
                dataset=made.dataset,
                rows=made.rows,
                rows_read=made.rows_read,
                path=str(made.path.relative_to(self.paths.root)),
                lineage=made.lineage,
                overlap=(overlap,),
                seconds=round(time.monotonic() - started, 3),
            )
            return self.ledger.record(body)

    def train(self, node: int, variant: int, dataset: str, replica: int = 0) -> Trained:
        """Train one variant of a node's plan on a dataset that `build` made.

        The dataset is made by the variant's own recipe, or from files that the agent wrote.
        """
        model = model_id(node, variant, replica)
        key = f"trained {model}"
        with self.ledger.lock:
            if (known := self.ledger.show(key)) is not None:
                return _answer(known, Trained)
            recipe, scheme = self._configuration(node, variant)
            built = self._dataset(node, dataset, recipe)
            place = (node, variant, replica)
            job = train_job(self.setting, self.paths, place, scheme, built)
        outcome = self._run(job, f"Training {model}")
        weights = _weights(outcome)
        with self.ledger.lock:
            if outcome.failure is not None or outcome.training is None:
                failure = JobFailed(outcome.failure or "INFRA", outcome.cause)
                raise self._failed(node, variant, "train", failure, replica=replica, key=key)
            made = outcome.training
            body = Trained(
                model=model,
                node=node,
                variant=variant,
                replica=replica,
                dataset=dataset,
                path=str(Path(job.out).relative_to(self.paths.root)),
                seed=job.seed,
                device_seconds=outcome.device_seconds,
                samples=made.samples,
                tokens=made.tokens,
                steps=made.steps,
                train_loss=made.first_loss,
                final_loss=made.last_loss,
                truncated=made.truncated,
                weights_sha256=weights,
            )
            return self.ledger.record(body)

    def adopt(self, node: int, variant: int, folder: Path) -> Trained:
        """Take a model of the workspace that the agent trained by itself; raises a flag.

        Raises:
            JobFailed: POLICY where it is not the base plus a delta; recorded.
        """
        model = model_id(node, variant)
        key = f"trained {model}"
        with self.ledger.lock:
            if (known := self.ledger.show(key)) is not None:
                return _answer(known, Trained)
            self._configuration(node, variant)
        out = self.paths.variant(node, variant)
        try:
            copy = adopt_model(folder, self.brief.workspace, out / "model", self.setting.base)
        except JobFailed as failure:
            raise self._failed(node, variant, "train", failure, key=key) from failure
        self.flag("foreign-training", "a model came from the agent's own training")
        return self._adopted(node, variant, *copy)

    def _adopted(self, node: int, variant: int, ref: ModelRef, lineage: Lineage) -> Trained:
        out = self.paths.variant(node, variant)
        made = Training(model=ref, steps=0, samples=0, tokens=0, first_loss=0.0, last_loss=0.0)
        write_json(out / OUTCOME_FILE, JobOutcome(training=made))
        return self.ledger.record(
            Trained(
                model=model_id(node, variant),
                node=node,
                variant=variant,
                replica=0,
                dataset="",
                path=str(out.relative_to(self.paths.root)),
                seed=0,
                device_seconds=0.0,
                samples=0,
                tokens=0,
                steps=0,
                weights_sha256=lineage.weights_sha256,
            )
        )

    def evaluate(self, model: str) -> Evaluated:
        """Score a trained model, or "base", on validation."""
        key = f"evaluated {model}"
        with self.ledger.lock:
            if (known := self.ledger.show(key)) is not None:
                return _answer(known, Evaluated)
            trained = None if model == BASE else self._trained(model)
            out = self.paths.root / trained.path / "validation" if trained else self.paths.base
            job = evaluate_job(self.setting, self.model_ref(model), out)
        free = trained is None
        outcome = self._run(job, f"Evaluating {model}", free=free)
        with self.ledger.lock:
            if outcome.failure is not None:
                failure = JobFailed(outcome.failure, outcome.cause)
                if trained is None:
                    raise failure
                raise self._failed(
                    trained.node,
                    trained.variant,
                    "evaluate",
                    failure,
                    replica=trained.replica,
                    key=key,
                )
            samples = Path(job.out) / "samples.jsonl"
            score = score_of(
                self.setting.data.spec,
                self.setting.scorer,
                self._rows,
                read_items(samples),
                "validation",
            )
            body = Evaluated(
                model=model,
                node=trained.node if trained else None,
                variant=trained.variant if trained else None,
                replica=trained.replica if trained else 0,
                score=filed(score, self.paths.root, samples, outcome.profile),
                device_seconds=outcome.device_seconds,
            )
            return self.ledger.record(body)

    def conclude(self, node: int, diagnosis: Diagnosis) -> None:
        """Close a node: it succeeded if at least one variant was scored; its report is filed."""
        with self.ledger.lock:
            if self.ledger.show(f"concluded {node}") is not None:
                return
            scored = any(item.score is not None for item in self._node(node).outcomes)
            if diagnosis.report:
                write_text(self.paths.node(node) / "diagnosis.md", diagnosis.report)
            self.ledger.record(
                Concluded(
                    node=node, status="succeeded" if scored else "failed", diagnosis=diagnosis
                )
            )

    def give_up(self, node: int, cause: str, kind: FailureKind = "EXECUTOR_GAVE_UP") -> None:
        """Record why nothing of a node can be carried out: it fails with that."""
        key = f"gave up {node}"
        with self.ledger.lock:
            if self.ledger.show(key) is None:
                self._node(node)
                self.ledger.record(
                    Failed(
                        node=node, variant=None, phase="plan", failure=kind, cause=cause, key=key
                    )
                )

    def submit(self, model: str, reason: str) -> None:
        """Name the model that goes to the sealed test. The last call counts."""
        with self.ledger.lock:
            if model != BASE and self.ledger.seen(f"trained {model}") is None:
                self._check_name(model)
            trained = None if model == BASE else self._trained(model)
            self.submitted = Selected(
                model=model,
                node=trained.node if trained else None,
                variant=trained.variant if trained else None,
                by="agent",
                reason=reason,
            )

    def agree(self, key: str, make: Callable[[], Any]) -> Any:
        """A decision as JSON data, made once and the same after every restart."""
        with self.ledger.lock:
            known = self.ledger.show(f"agreed {key}")
            if known is None:
                known = self.ledger.record(Agreed(key=key, value=make()))
            return known.value

    def keep(self, node: int, name: str, text: str) -> None:
        """File a text in a node's folder.

        Raises:
            UsageError: for a name that is no Markdown file's, or is taken by the Lab itself.
        """
        if not re.fullmatch(r"[a-z_]+\.md", name) or name == "diagnosis.md" or node < 0:
            raise UsageError(f"a node keeps no text as {name!r}; expected a name like context.md")
        path = self.paths.node(node) / name
        if not path.exists() and len(list(path.parent.glob("*.md"))) >= _MOST_KEPT:
            raise UsageError(f"node {node} keeps {_MOST_KEPT} texts already; write over one")
        write_text(path, text)

    def call(
        self, key: str, reserve: Usage, make: Callable[[], tuple[Any, Usage]], purpose: str = ""
    ) -> Any:
        """Outside work done once, metered in tokens and USD, and answered from the journal."""
        return self.ledger.call(key, reserve, make, purpose)

    def flag(self, name: str, detail: str) -> None:
        """Note what `ft_bench.integrity.FLAGS` names; the same words count once."""
        body = Flagged(name=name, detail=detail[:500])
        with self.ledger.lock:
            if self.ledger.show(f"flagged {digest([body.name, body.detail])}") is None:
                self.ledger.record(body)

    # --- how it is done --------------------------------------------------------------------

    def _failed(
        self,
        node: int,
        variant: int | None,
        phase: Phase,
        failure: JobFailed,
        *,
        key: str,
        replica: int = 0,
    ) -> JobFailed:
        if failure.kind != "INFRA":
            self.ledger.record(
                Failed(
                    node=node,
                    variant=variant,
                    replica=replica,
                    phase=phase,
                    failure=failure.kind,
                    cause=failure.cause,
                    key=key,
                )
            )
        return failure

    def _run(self, job: Job, purpose: str, *, free: bool = False) -> JobOutcome:
        """Run a job within a reservation, or find that it had already finished.

        A job that is lost to the machine, not to itself, is run once more. A failure of the base,
        which ends the run and is no evidence about any plan, is not taken for an answer either.
        """
        done = finished(job)
        if done is not None and (done.failure is None or not (free or done.failure == "INFRA")):
            return done
        shutil.rmtree(job.out, ignore_errors=True)
        if free:
            return self.cluster.run(job, self.setting.job_seconds)
        with self.ledger.reserved(Path(job.out), purpose) as allowance:
            outcome = self.cluster.run(job, allowance.limit)
            allowance.used.append(outcome.device_seconds)
            left = allowance.limit - outcome.device_seconds
            if outcome.failure == "INFRA" and left > 0:
                outcome = self.cluster.run(job, left)
                allowance.used.append(outcome.device_seconds)
        return outcome

    def model_ref(self, model: str) -> ModelRef:
        """How a model is loaded: the base, or what a training left in its folder."""
        if model == BASE:
            return self.setting.base
        outcome = read_outcome(self.paths.root / self._trained(model).path)
        if outcome is None or outcome.training is None:
            raise UsageError(f"model {model!r} has no weights; its folder was removed")
        return outcome.training.model

    def recipe(self, node: int, variant: int) -> DataRecipe:
        """The data recipe that a node's plan gives to a variant."""
        return self._configuration(node, variant)[0]

    def _configuration(self, node: int, variant: int) -> tuple[DataRecipe, Variant]:
        configurations = self._node(node).plan.configurations()
        if not 0 <= variant < len(configurations):
            raise UsageError(
                f"node {node} has no variant {variant!r}; expected 0 to {len(configurations) - 1}"
            )
        return configurations[variant]

    def _node(self, node: int) -> Node:
        if node not in self.tree.nodes:
            raise UsageError(f"there is no node {node!r}; expected 0 to {len(self.tree) - 1}")
        return self.tree.node(node)

    def _dataset(self, node: int, dataset: str, recipe: DataRecipe) -> Built:
        for built in self._node(node).datasets:
            own = digest(built.recipe) == digest(recipe)
            if built.dataset == dataset and (own or built.recipe.is_written()):
                return built
        raise UsageError(
            f"node {node} has no dataset {dataset[:12]!r} by this recipe; build it first"
        )

    def _trained(self, model: str) -> Trained:
        body = self.ledger.seen(f"trained {model}")
        if not isinstance(body, Trained):
            raise UsageError(f"there is no trained model {model!r}; train it first")
        return body

    def _samples(self, model: str) -> Path:
        body = self.ledger.seen(f"evaluated {model}")
        if not isinstance(body, Evaluated):
            raise UsageError(f"model {model!r} was not evaluated; call evaluate first")
        return self.paths.root / body.score.samples

    @cached_property
    def _rows(self) -> list[Row]:
        return list(read_rows(self.setting.data.validation))

    @cached_property
    def _validation(self) -> Reference:
        return Reference(
            "validation",
            [str(row["prompt"]) for row in self._rows],
            pool=(str(row["prompt"]) for row in read_rows(self.setting.data.train)),
            near=registry.backend("overlap", "aidp"),
        )

    def _check_sources(self, recipe: DataRecipe) -> None:
        """Refuse a recipe that reads outside the workspace, or asks a model beside the ledger."""
        if outside := self.datasets.outside(recipe):
            words = f"a recipe names {outside[0][:200]!r}, which lies outside the workspace"
            self.flag("forbidden-path", words)
            raise JobFailed("POLICY", f"{words}; expected 'train' or a workspace file")
        asking = [step.op for step in recipe.steps if "llm" in step.params]
        if asking:
            raise JobFailed(
                "POLICY",
                f"{asking[0]} in a recipe asks a language model, which no limit would count; ask "
                "through lab.call and write the rows to the workspace",
            )

    def _check_name(self, model: str) -> None:
        """Flag a run that hands in a file or folder of its own as if it were a trained model."""
        if (self.brief.workspace / model).exists():
            words = f"submitted {model[:200]!r}, which the Lab did not train"
            self.flag("other-model", words)

    def _check_leak(self, overlap: Overlap) -> None:
        """Refuse validation rows that the training pool does not hold: they were copied there."""
        if overlap.leaked <= tolerated(len(self._rows)):
            return
        words = f"{overlap.leaked} validation rows stand in the dataset but not in the pool"
        self.flag("validation-rows-in-training", words)
        raise JobFailed("DATA_LEAK", f"{words}; only training data may be trained on")


def _weights(outcome: JobOutcome) -> str:
    """The hash of what a training left, "" where there is nothing to hash."""
    if outcome.training is None:
        return ""
    folder = Path(outcome.training.model.adapter or outcome.training.model.base)
    return weights_digest(folder) if folder.is_dir() else ""


def _answer(body: object, expected: type[T]) -> T:
    """A journalled answer again; a journalled failure is raised again."""
    if isinstance(body, Failed):
        raise JobFailed(body.failure, body.cause)
    if not isinstance(body, expected):
        raise TypeError(f"the journal holds {type(body).__name__}, expected {expected.__name__}")
    return body
