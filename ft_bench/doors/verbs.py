"""Verbs: what a program may ask of its Lab, with the form of each question and answer.

The same words in `ft-bench lab VERB`, in `ft_bench.client` and on the socket. None of them reads
the test split.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ft_bench.errors import FailureKind, MessageRefused, PlanInvalid, UnknownName, UsageError
from ft_bench.lab import MeteredLab, model_id
from ft_bench.plan import DataRecipe, ExperimentPlan
from ft_bench.record import Diagnosis, Usage
from ft_bench.tree import Node, Outcome

__all__ = ["VERBS", "Ask", "Call", "Settle", "Verb", "checked", "question"]

T = TypeVar("T", bound=BaseModel)


class _Args(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Nothing(_Args):
    """A verb without arguments."""


class _Since(_Args):
    since: int = Field(default=0, ge=0)


class _Propose(_Args):
    parent: int | None = None
    plan: ExperimentPlan


class _Build(_Args):
    """Without `recipe`, the one that the node's plan gives to `variant`."""

    node: int
    recipe: DataRecipe | None = None
    variant: int = Field(default=0, ge=0)


class _Train(_Args):
    node: int
    variant: int = Field(ge=0)
    dataset: str
    replica: int = Field(default=0, ge=0)


class _Model(_Args):
    model: str


class _Compare(_Args):
    model: str
    other: str


class _Conclude(_Args):
    node: int
    diagnosis: Diagnosis = Diagnosis()


class _GiveUp(_Args):
    node: int
    cause: str
    kind: FailureKind = "EXECUTOR_GAVE_UP"


class _Keep(_Args):
    node: int = Field(ge=0)
    name: str = Field(max_length=40)
    text: str = Field(max_length=1 << 18)


class _Submit(_Args):
    model: str
    reason: str = ""


class _Agree(_Args):
    """Without `value`, whether the decision was made; with it, the one that counts."""

    key: str
    value: Any = None
    decide: bool = False


class Call(_Args):
    """Outside work that the program does itself, within a reservation."""

    key: str
    reserve: Usage = Usage()
    purpose: str = ""


class Settle(_Args):
    """The end of a call: its value and what it used, or why there is none."""

    value: Any = None
    used: Usage = Usage()
    failed: str = ""
    charged: bool = True
    transient: bool = False


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: its arguments, what answers it, and the work that it must not do twice at once.

    `work` names what is being worked on, "" for a verb that only looks.
    """

    args: type[BaseModel]
    call: Callable[[MeteredLab, Any], Any]
    work: Callable[[Any], str] = lambda _: ""


def _brief(lab: MeteredLab, _: _Nothing) -> Any:
    brief = lab.brief
    return {
        "task": brief.task,
        "text": brief.text,
        "metric": brief.metric.model_dump(mode="json"),
        "train": str(brief.train),
        "validation": str(brief.validation),
        "rows": dict(brief.rows),
        "base_model": brief.base_model,
        "base_parameters": brief.base_parameters,
        "workspace": str(brief.workspace),
        "seed": brief.seed,
        "slots": brief.slots,
        "max_samples": brief.max_samples,
        "max_variants": brief.max_variants,
        "iterations": brief.iterations,
        "insights": [dict(rule) for rule in brief.insights],
    }


def _budget(lab: MeteredLab, _: _Nothing) -> Any:
    left = dict(lab.remaining())
    return {name: None if math.isinf(value) else value for name, value in left.items()}


def _tree(lab: MeteredLab, _: _Nothing) -> Any:
    tree = lab.tree
    best = tree.best()
    return {
        "base": tree.base.value if tree.base else None,
        "direction": tree.direction,
        "best": model_id(best[0].id, best[1].index) if best else None,
        "nodes": [_node(node) for node in tree],
    }


def _node(node: Node) -> dict[str, Any]:
    return {
        "node": node.id,
        "parent": node.parent,
        "status": node.status,
        "strategy": node.plan.strategy,
        "objective": node.plan.objective,
        "variants": [_variant(node.id, outcome) for outcome in node.outcomes],
    }


def _variant(node: int, outcome: Outcome) -> dict[str, Any]:
    return {
        "variant": outcome.index,
        "model": model_id(node, outcome.index) if outcome.trained else None,
        "score": outcome.score.value if outcome.score else None,
        "failure": outcome.failure.failure if outcome.failure else None,
        "scheme": outcome.variant.model_dump(mode="json", exclude={"recipe"}),
    }


def _events(lab: MeteredLab, args: _Since) -> Any:
    with lab.ledger.lock:
        return [body.model_dump(mode="json") for body in lab.ledger.shown[args.since :]]


def _propose(lab: MeteredLab, args: _Propose) -> Any:
    return {"node": lab.propose(args.parent, args.plan)}


def _build(lab: MeteredLab, args: _Build) -> Any:
    recipe = args.recipe or lab.recipe(args.node, args.variant)
    return lab.build(args.node, recipe).model_dump(mode="json")


def _train(lab: MeteredLab, args: _Train) -> Any:
    return lab.train(args.node, args.variant, args.dataset, args.replica).model_dump(mode="json")


def _steering(lab: MeteredLab, _: _Nothing) -> Any:
    wishes = lab.steering()
    return {
        "pinned": sorted(wishes.pinned),
        "closed": sorted(wishes.closed),
        "banned": [*sorted(wishes.banned), *sorted(wishes.banned_nodes)],
        "notes": wishes.notes,
    }


def _conclude(lab: MeteredLab, args: _Conclude) -> Any:
    lab.conclude(args.node, args.diagnosis)
    return {"node": args.node, "status": lab.tree.node(args.node).status}


def _give_up(lab: MeteredLab, args: _GiveUp) -> Any:
    lab.give_up(args.node, args.cause, args.kind)
    return {"node": args.node}


def _keep(lab: MeteredLab, args: _Keep) -> Any:
    if args.node > len(lab.tree):
        raise UsageError(f"there is no node {args.node}; expected 0 to {len(lab.tree)}")
    lab.keep(args.node, args.name, args.text)
    return {"node": args.node}


def _submit(lab: MeteredLab, args: _Submit) -> Any:
    lab.submit(args.model, args.reason)
    return {"model": args.model}


def _agree(lab: MeteredLab, args: _Agree) -> Any:
    if args.decide:
        return {"known": True, "value": lab.agree(args.key, lambda: args.value)}
    known = lab.ledger.show(f"agreed {args.key}")
    return {"known": known is not None, "value": known.value if known is not None else None}


VERBS: Mapping[str, Verb] = {
    "brief": Verb(_Nothing, _brief),
    "budget": Verb(_Nothing, _budget),
    "tree": Verb(_Nothing, _tree),
    "events": Verb(_Since, _events),
    "steering": Verb(_Nothing, _steering),
    "propose": Verb(_Propose, _propose),
    "build": Verb(_Build, _build),
    "train": Verb(_Train, _train, lambda args: model_id(args.node, args.variant, args.replica)),
    "evaluate": Verb(
        _Model,
        lambda lab, args: lab.evaluate(args.model).model_dump(mode="json"),
        lambda args: str(args.model),
    ),
    "items": Verb(_Model, lambda lab, args: lab.items(args.model)),
    "compare": Verb(
        _Compare,
        lambda lab, args: {"probability": lab.probability_better(args.model, args.other)},
    ),
    "conclude": Verb(_Conclude, _conclude),
    "give_up": Verb(_GiveUp, _give_up),
    "keep": Verb(_Keep, _keep),
    "submit": Verb(_Submit, _submit),
    "agree": Verb(_Agree, _agree),
}


class Ask(_Args):
    """A question to the run's language model, within the call that is open under `key`."""

    key: str = ""
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] = Field(default_factory=list)
    max_tokens: int = Field(default=4096, gt=0)


def question(
    verb: object, args: object, verbs: Mapping[str, Verb] = VERBS
) -> tuple[Verb, BaseModel]:
    """A verb of `verbs` with its arguments, checked.

    Raises:
        UnknownName: for a verb that is not there.
        MessageRefused, PlanInvalid: as `checked`.
    """
    if not isinstance(verb, str) or verb not in verbs:
        raise UnknownName("verb", str(verb)[:80], verbs, "ft-bench lab --help")
    return verbs[verb], checked(verbs[verb].args, verb, args)


def checked(form: type[T], verb: str, args: object) -> T:
    """A verb's arguments in their form.

    Raises:
        MessageRefused: "malformed", for arguments of the wrong form; names the first.
        PlanInvalid: where it is the plan or the recipe that has the wrong form.
    """
    try:
        return form.model_validate({} if args is None else args)
    except ValidationError as cause:
        first = cause.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "args"
        names = ", ".join(form.model_fields) or "no argument"
        text = f"{verb}: {place}: {first['msg']}; expected {names}"
        if first["loc"][:1] in (("plan",), ("recipe",)):
            raise PlanInvalid(text) from cause
        raise MessageRefused("malformed", text) from cause
