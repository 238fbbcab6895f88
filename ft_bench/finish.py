"""Finish: which model goes to the sealed test, the grader's process, and the result card."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from ft_bench.audit import tolerated
from ft_bench.base import Base
from ft_bench.errors import JobFailed
from ft_bench.files import write_json
from ft_bench.grader.spec import Grade, GradeSpec
from ft_bench.integrity import is_void, void_gain
from ft_bench.lab import BASE, MeteredLab, model_id
from ft_bench.record import (
    Card,
    CardStatus,
    Evaluated,
    Flagged,
    Interval,
    Overlap,
    Score,
    Selected,
    Tested,
    Trained,
)
from ft_bench.request import RunRequest
from ft_bench.stats import mean_interval
from ft_bench.store import read_manifest
from ft_bench.tree import Outcome, Tree
from ft_bench.weights import weights_digest

__all__ = ["finish", "grade_apart", "select"]


def select(lab: MeteredLab) -> Selected:
    """The model for the test: the agent's choice, else the best on validation, else the base."""
    if lab.submitted is not None:
        return lab.submitted
    best = lab.tree.best()
    if best is None:
        return Selected(
            model=BASE, node=None, variant=None, by="base", reason="no model was trained and scored"
        )
    node, outcome = best
    return Selected(
        model=model_id(node.id, outcome.index),
        node=node.id,
        variant=outcome.index,
        by="validation",
        reason="the best validation score",
    )


def finish(
    lab: MeteredLab, base: Base, request: RunRequest, status: CardStatus, reason: str
) -> Card:
    """Select, grade once, and write down what was found.

    Raises:
        JobFailed: where the grader could not do its work; the run can be taken up again.
    """
    bodies = list(lab.ledger.journal.bodies)
    tested = next((body for body in bodies if isinstance(body, Tested)), None)
    selected = next((body for body in bodies if isinstance(body, Selected)), None)
    if selected is None:
        selected = select(lab)
        lab.ledger.record(selected)
    _flag_changed_weights(lab, selected.model)
    grade = _grade(lab, base, request, selected)
    _flag_grade(lab, selected, grade)
    if tested is None:
        tested = Tested(
            model=selected.model,
            score=grade.test,
            base=grade.base,
            device_seconds=grade.device_seconds,
            contamination=grade.contamination,
            lineage=grade.lineage,
        )
        lab.ledger.record(tested)
    return _card(lab, request, selected, tested, grade, status, reason)


def _flag_grade(lab: MeteredLab, selected: Selected, grade: Grade) -> None:
    """What the grader found about the model and its training set, as flags."""
    leaked = sum(item.leaked for item in grade.contamination)
    if leaked > tolerated(grade.test.n):
        lab.flag("test-rows-in-training", f"{leaked} test rows that the pool does not hold")
    for fault in grade.lineage.faults if grade.lineage is not None else ():
        lab.flag("other-model", fault)


def _flag_changed_weights(lab: MeteredLab, model: str) -> None:
    """Whether the model that goes to the test is, file by file, what its training left."""
    trained = _trained(lab, model)
    before = trained.weights_sha256 if trained else ""
    if before:
        ref = lab.model_ref(model)
        if weights_digest(Path(ref.adapter or ref.base)) != before:
            lab.flag("weights-changed", f"{model} is not what its training left")


def _grade(lab: MeteredLab, base: Base, request: RunRequest, selected: Selected) -> Grade:
    out = lab.paths.test
    dataset = _dataset(lab, selected)
    spec = GradeSpec(
        task=request.task,
        cache=str(request.homes.cache),
        private=str(request.homes.private),
        root=str(lab.paths.root),
        out=str(out),
        base=base.ref,
        tuned=None if selected.model == BASE else lab.model_ref(selected.model),
        dataset=str(dataset) if dataset else None,
        foreign=_foreign(lab, selected),
        batch_size=lab.setting.batch_size,
        generator=lab.setting.generator,
        seed=request.seed,
    )
    return grade_apart(spec, 2 * request.job_seconds)


def grade_apart(spec: GradeSpec, limit_seconds: float) -> Grade:
    """Grade in a process of its own, which is killed at the limit and dies with this one.

    Its standard input is a pipe that stays open for as long as the harness lives.
    """
    out = Path(spec.out)
    write_json(out / "spec.json", spec)
    command = [sys.executable, "-m", "ft_bench.grader", str(out / "spec.json")]
    log = out / "grader.log"
    with log.open("wb") as stream:
        child = subprocess.Popen(
            command, stdout=stream, stderr=stream, stdin=subprocess.PIPE, start_new_session=True
        )
        try:
            code = child.wait(timeout=limit_seconds)
        except subprocess.TimeoutExpired as cause:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise JobFailed("INFRA", f"the grader ran past {limit_seconds:g} s") from cause
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
        finally:
            if child.stdin is not None:
                child.stdin.close()
    if code != 0:
        last = log.read_text("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
        raise JobFailed("INFRA", f"the grader ended with {code}: {last[0][:300]} (see {log})")
    return Grade.model_validate_json((out / "grade.json").read_bytes())


def _trained(lab: MeteredLab, model: str) -> Trained | None:
    body = lab.ledger.seen(f"trained {model}")
    return body if isinstance(body, Trained) else None


def _dataset(lab: MeteredLab, selected: Selected) -> Path | None:
    trained = _trained(lab, selected.model)
    if trained is None:
        return None
    for built in lab.tree.node(trained.node).datasets:
        if built.dataset == trained.dataset:
            return lab.paths.root / built.path
    return None


def _foreign(lab: MeteredLab, selected: Selected) -> bool:
    """Whether the model was trained outside the Lab: it has no dataset, and no recipe of ours."""
    trained = _trained(lab, selected.model)
    return trained is not None and not trained.dataset


def _outcome(tree: Tree, selected: Selected) -> Outcome | None:
    if selected.node is None or selected.variant is None:
        return None
    return tree.node(selected.node).outcomes[selected.variant]


def _confirmed(outcome: Outcome | None) -> tuple[float | None, Interval | None]:
    """Mean over fresh seeds, which the selection did not see, with its interval."""
    if outcome is None or not outcome.confirmations:
        return None, None
    scores = [score for _, score in outcome.confirmations]
    spread = (scores[0].ci.high - scores[0].ci.low) / 2 / 1.96
    value, interval = mean_interval([score.value for score in scores], spread**2)
    return value, interval


def _card(
    lab: MeteredLab,
    request: RunRequest,
    selected: Selected,
    tested: Tested,
    grade: Grade,
    status: CardStatus,
    reason: str,
) -> Card:
    manifest, tree = read_manifest(lab.paths), lab.tree
    outcome = _outcome(tree, selected)
    scored = lab.ledger.seen(f"evaluated {selected.model}")
    validation: Score | None = scored.score if isinstance(scored, Evaluated) else None
    confirmed_value, confirmed = _confirmed(outcome)
    base_validation = tree.base
    if base_validation is None:
        raise JobFailed("EVAL_ERROR", "the base model has no validation score")
    nothing = selected.by == "base" and request.budget.iterations > 0
    flags = tuple(sorted({b.name for b in lab.ledger.journal.bodies if isinstance(b, Flagged)}))
    void = is_void(flags)
    if nothing and status == "complete":
        status = "no_valid_model"
    bodies = list(lab.ledger.journal.bodies)
    wall = lab.ledger.wall_spent()
    return Card(
        run_id=lab.paths.root.name,
        **manifest.model_dump(
            include={
                "task",
                "task_version",
                "scorer_version",
                "agent",
                "backend",
                "seed",
                "base_model",
                "isolation",
                "network",
            }
        ),
        parser=tested.score.parser,
        status="integrity" if void else status,
        metric=tested.score.metric,
        direction=tree.direction,
        validation=validation,
        confirmed=confirmed,
        confirmed_value=confirmed_value,
        test=tested.score,
        base_test=tested.base,
        base_validation=base_validation,
        gain=void_gain(grade.gain) if void else grade.gain,
        selected_node=selected.node,
        selected_variant=selected.variant,
        selected_on=selected.by,
        selected_recipe=outcome.recipe if outcome and not _foreign(lab, selected) else None,
        n_test_evaluations=sum(isinstance(body, Tested) for body in bodies),
        nodes=len(tree),
        nodes_failed=sum(node.status == "failed" for node in tree),
        trainings=sum(isinstance(body, Trained) for body in bodies),
        usage=lab.ledger.meter.spent.model_copy(update={"wall_seconds": round(wall, 1)}),
        budget=manifest.budget,
        stop_reason=reason,
        overlap=(*_overlap(tree, lab, selected), *tested.contamination),
        hardware_class=str(manifest.hardware.get("class", "")),
        profile=tested.score.profile,
        head=lab.ledger.journal.head,
        tree_digest=tree.digest(),
        lineage=tested.lineage,
        flags=flags,
    )


def _overlap(tree: Tree, lab: MeteredLab, selected: Selected) -> tuple[Overlap, ...]:
    trained = _trained(lab, selected.model)
    if trained is None:
        return ()
    built = tree.node(trained.node).datasets
    return next((item.overlap for item in built if item.dataset == trained.dataset), ())
