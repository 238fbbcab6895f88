"""Naming: a language model gives groups of bad cases names that read better than their terms.

One question a node, asked once. The groups, their counts and causes stay the program's; an answer
that cannot be used leaves the names that the terms gave, and the diagnosis says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ft_bench.errors import BudgetExhausted
from ft_bench.protocols import LLM, Lab
from ft_bench.record import CaseGroup
from trex_agent.cases import Case
from trex_agent.diagnosis import Label
from trex_agent.llm import Message, ask
from trex_agent.prompts import render
from trex_agent.research.inquiry import json_in
from trex_agent.tools.web import fenced

__all__ = ["namer"]

_MOST_TOKENS = 1_024
_MOST_SHOWN = 300
_FOREIGN = re.compile(r"[^\w ,.;:'\"()/%+&-]")


class _Name(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    group: int = Field(ge=1)
    name: str = Field(min_length=1, max_length=80)


class _Names(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    names: tuple[_Name, ...]


def namer(lab: Lab, llm: LLM, node: int) -> Label:
    """What names a node's groups by asking `llm`.

    It raises ModelFailed where no answer came; the run can be taken up again.
    """
    return partial(_named, lab, llm, node)


def _named(
    lab: Lab, llm: LLM, node: int, groups: Sequence[CaseGroup], cases: Sequence[Case]
) -> tuple[Sequence[CaseGroup], str]:
    if not groups:
        return groups, ""
    try:
        names, model = _asked(lab, llm, node, _messages(node, groups, cases), len(groups))
    except _Unusable as why:
        return groups, f"their terms, as {why}"
    named = zip(groups, names, strict=True)
    return [group.model_copy(update={"label": name}) for group, name in named], model


class _Unusable(Exception):
    """There are no names; `str()` says why."""


def _asked(
    lab: Lab, llm: LLM, node: int, messages: Sequence[Message], count: int
) -> tuple[list[str], str]:
    """A name for each group in their order, and who gave them.

    Raises:
        _Unusable: where none could be asked for, or none was given.
        ModelFailed: from the model.
    """
    key = f"labels {node}"
    # Decided once: a run that is taken up with more tokens diagnoses its old nodes as before.
    if not lab.agree(f"{key} affordable", lambda: _affordable(lab, llm, messages)):
        raise _Unusable("too little of the budget was left to ask the model")
    try:
        reply = ask(lab, llm, key, messages, max_tokens=_MOST_TOKENS)
    except BudgetExhausted as refusal:
        raise _Unusable("too little of the budget was left to ask the model") from refusal
    if reply.finish == "refused":
        raise _Unusable("the model refused")
    try:
        return _read(reply.text, count), _line(reply.model) or "the model"
    except ValueError as wrong:
        cut = "was cut at its limit of tokens" if reply.finish == "length" else _fault(wrong)
        raise _Unusable(f"the model's answer could not be used: {cut}") from wrong


def _affordable(lab: Lab, llm: LLM, messages: Sequence[Message]) -> bool:
    most, left = llm.worst(messages, (), _MOST_TOKENS), lab.remaining()
    return most.tokens <= left.tokens and most.usd <= left.usd


def _messages(node: int, groups: Sequence[CaseGroup], cases: Sequence[Case]) -> Sequence[Message]:
    known = {case.question.id: case for case in cases}
    shown = "\n\n".join(_shown(n, group, known) for n, group in enumerate(groups, start=1))
    question = render(
        "labels",
        node=node,
        count=len(groups),
        groups=fenced("validation, as the model answered it", shown),
        schema=json.dumps(_Names.model_json_schema()),
    )
    return [
        {"role": "system", "content": render("researcher")},
        {"role": "user", "content": question},
    ]


def _shown(number: int, group: CaseGroup, cases: Mapping[str, Case]) -> str:
    """A group in a few lines; texts of strangers as JSON strings of bounded length."""
    lines = [
        f"group {number}: {group.items} items, {group.broken} of them right before",
        f"so far called {json.dumps(group.label[:_MOST_SHOWN], ensure_ascii=False)}",
        *(f"cause: {cause.text[:_MOST_SHOWN]}" for cause in group.causes[:3]),
    ]
    for name in group.examples:
        if name in cases:
            lines += _example(cases[name])
    return "\n".join(lines)


def _example(case: Case) -> Iterator[str]:
    texts = {
        "asked": case.question.prompt,
        "right": case.question.answer,
        "answered": case.output,
    }
    for what, text in texts.items():
        yield f"{what}: {json.dumps(text[:_MOST_SHOWN], ensure_ascii=False)}"


def _read(text: str, count: int) -> list[str]:
    """The names in an answer.

    Raises:
        ValueError: says what is wrong with it.
    """
    found = _Names.model_validate(json_in(text)).names
    names = {item.group: _line(item.name) for item in found}
    if sorted(item.group for item in found) != list(range(1, count + 1)):
        raise ValueError(f"it names the groups {sorted(names)}, expected each of 1 to {count} once")
    made = [names[number] for number in range(1, count + 1)]
    if len(set(made)) < count or not all(made):
        raise ValueError("its names are empty or alike")
    return made


def _line(text: str) -> str:
    """Words alone, on one line: nothing that a page, a terminal or a prompt would obey."""
    return " ".join(_FOREIGN.sub(" ", text[:80]).split())


def _fault(wrong: ValueError) -> str:
    if isinstance(wrong, ValidationError):
        first = wrong.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the object'}: {first['msg']}"
    return " ".join(str(wrong).split())[:200]
