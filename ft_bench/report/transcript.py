"""Transcript: one whole round of a search as a terminal shows it, from the brief to the costs.

Read from the journal alone: what was said to whom between the end of the round before and the end
of this one, the plan with its difference to the parent, the trainings, the diagnosis.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ft_bench.record import (
    Agreed,
    Called,
    Concluded,
    Event,
    Planned,
    Refused,
    RunManifest,
    Settled,
    Steered,
)
from ft_bench.report.cells import field, wrap
from ft_bench.report.figures import count, seconds
from ft_bench.report.tree_text import node_text
from ft_bench.tree import Tree

__all__ = ["insights_text", "round_of", "transcript_text"]

_MOST_LINES = 40
_MOST_TEXT = 4_000
_MOST_REPORT = 400
_MOST_INDENT = 12
_LONG = 300
_QUIET = ("insights",)
_ASIDE = re.compile(r"labels \d+ affordable")


def round_of(events: Sequence[Event], node: int) -> Sequence[Event]:
    """The events of a node's round: after the last node that was closed before it, up to its end.

    What follows its end and comes before the next plan belongs to it too: rules it led to.
    """
    start, planned, closed = 0, False, False
    for place, event in enumerate(events):
        body = event.body
        if isinstance(body, Planned) and body.node == node:
            planned = True
        elif isinstance(body, Concluded) and body.node == node:
            closed = True
        elif not planned and (isinstance(body, Concluded) or _is_rule(body)):
            start = place + 1
        elif closed and not _is_rule(body):
            return events[start:place]
    return events[start:]


def _is_rule(body: Any) -> bool:
    return isinstance(body, Agreed) and body.key.startswith(_QUIET)


def transcript_text(
    run: RunManifest, events: Sequence[Event], tree: Tree, node: int, width: int = 80
) -> str:
    """The whole round of a node.

    Args:
        run: whose journal it is.
        events: of the whole run.
        tree: that follows from them.
        node: one of the tree's.
        width: of the terminal.
    """
    mine = round_of(events, node)
    at = next((i for i, e in enumerate(mine) if isinstance(e.body, Planned)), len(mine))
    told: list[str] = []
    sections = (
        ("Brief", _brief(run, tree, node, width)),
        ("Before the plan", _talk(mine[:at], width, told)),
        ("Plan and what came of it", [node_text(tree, tree.node(node), width).rstrip("\n")]),
        ("Executor", _talk(mine[at + 1 :], width, told)),
        ("Diagnosis report", _report(tree, node, width)),
        ("Insights after it", _insights(mine, width)),
        ("Cost", _cost(mine, width)),
    )
    lines: list[str] = []
    for title, body in sections:
        if body:
            lines += [f"== {title} ".ljust(min(width, 60), "="), *body, ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _brief(run: RunManifest, tree: Tree, node: int, width: int) -> list[str]:
    limits = ", ".join(f"{name} {value}" for name, value in run.budget.items() if value is not None)
    before = sum(other.id < node for other in tree)
    pairs = (
        ("task", f"{run.task}, version {run.task_version}"),
        ("agent", f"{run.agent} with {run.backend}, seed {run.seed}"),
        ("base model", run.base_model),
        ("limits", limits),
        ("so far", count(before, "node")),
    )
    return [line for label, text in pairs if text for line in field(label, text, width)]


def _talk(events: Iterable[Event], width: int, told: list[str]) -> list[str]:
    """What was asked, answered and decided, in its order; long texts once. `told` grows."""
    lines: list[str] = []
    for event in events:
        for who, text in _said(event.body):
            lines += [*wrap(f"[{who}]", width), *_block(_once(text.strip(), told), width), ""]
    return lines[:-1]


def _once(text: str, told: list[str]) -> str:
    """The text, with what was shown before named by its first line alone."""
    whole = text
    for known in told:
        if known in text:
            text = text.replace(known, f"(as above: {known.splitlines()[0][:60]} …)")
    if len(whole) >= _LONG and whole not in told:
        told.append(whole)
    return text


def _said(body: Any) -> Iterator[tuple[str, str]]:
    """Who said what in an event; nothing for events that are no talk."""
    match body:
        case Steered():
            orders = [f"{order.verb} {order.name or order.node}" for order in body.orders]
            yield "a person", "\n".join([*orders, *([body.notes] if body.notes else [])])
        case Refused():
            yield "a person", f"No to {body.plan.objective!r}. {body.reason}".rstrip()
        case Called() if isinstance(body.value, dict) and "asked" in body.value:
            yield from _reply(body.key, body.value, body.used.tokens, body.used.usd)
        case Called() if isinstance(body.value, dict) and body.value.get("who") == "tool":
            yield _tool(body.value)
        case Called():
            yield f"{body.purpose or body.key}", _json(body.value)
        case Agreed() if not _is_rule(body) and not _ASIDE.fullmatch(body.key):
            yield _agreed(body)


def _reply(
    key: str, value: Mapping[str, Any], tokens: int, usd: float
) -> Iterator[tuple[str, str]]:
    """A question to a language model: what was new in it, what it answered, what it called."""
    for message in value.get("asked") or ():
        if isinstance(message, dict) and message.get("role") != "tool":
            yield f"{message.get('role', 'user')} to the model", _content(message.get("content"))
    price = f", {usd:.4f} USD" if usd else ""
    text = str(value.get("text") or "")
    calls = [_called(call[1], str(call[2])) for call in value.get("calls") or () if len(call) > 2]
    who = f"{value.get('model') or 'model'}, {key}, {tokens:,} tokens{price}"
    yield who, "\n".join([*([text] if text else []), *calls]) or "(nothing)"


def _called(name: str, arguments: str) -> str:
    """A call as it was written, but for texts of several lines, which follow it line by line."""
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        return f"-> {name} {arguments}"
    if not isinstance(given, dict):
        return f"-> {name} {arguments}"
    long = {key: text for key, text in given.items() if isinstance(text, str) and "\n" in text}
    rest = {key: given[key] for key in given if key not in long}
    head = f"-> {name} {json.dumps(rest, ensure_ascii=False)}"
    rows = [f"   {line}" for key, text in long.items() for line in [f"{key}:", *_inner(text)]]
    return "\n".join([head, *rows])


def _inner(text: str) -> list[str]:
    return [f"  {line}" for line in text.rstrip("\n").split("\n")]


def _content(content: Any) -> str:
    return content if isinstance(content, str) else _json(content)


def _tool(value: Mapping[str, Any]) -> tuple[str, str]:
    state = "" if value.get("ok", True) else ", refused or failed"
    return f"tool {value.get('name', '?')}{state}", str(value.get("text") or "(no output)")


def _agreed(body: Agreed) -> tuple[str, str]:
    value = body.value
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        return str(value.get("who") or body.key), value["text"]
    return f"agreed: {body.key}", _json(value)


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)


def _block(text: str, width: int, most: int = _MOST_LINES) -> list[str]:
    """Text with its own line breaks and indentation; what is too much is left out and counted."""
    rows = text[:_MOST_TEXT].split("\n")
    lines: list[str] = []
    for row in rows[:most]:
        blanks = min(_MOST_INDENT, len(row) - len(row.lstrip(" ")))
        lines += wrap(row, width, " " * (2 + min(blanks, width // 4)))
    left = text.count("\n") + 1 - min(most, len(rows))
    if left > 0 or len(text) > _MOST_TEXT:
        lines += wrap(f"… ({len(text):,} characters in all)", width, "  ")
    return lines


def _report(tree: Tree, node: int, width: int) -> list[str]:
    diagnosis = tree.node(node).diagnosis
    if diagnosis is None or not diagnosis.report:
        return []
    _, heading, rest = diagnosis.report.partition("\n## Items")
    shown = (heading + rest if heading else diagnosis.report).split("\n")
    lines = [line for line in shown if line.strip() not in ("", ">")]
    return [row for line in lines[:_MOST_REPORT] for row in _report_line(line, width)]


def _report_line(line: str, width: int) -> list[str]:
    """A line of the report; a row of a table without its frame, what does not fit set in."""
    if not line.startswith("|"):
        return wrap(line, width)
    if set(line) <= set("|- "):
        return []
    first, *more = wrap(line.strip("| "), width - 4)
    return [first, *(f"    {row}" for row in more)]


def _insights(events: Sequence[Event], width: int) -> list[str]:
    return _rules((event.body for event in events), width)


def _rules(bodies: Iterable[Any], width: int) -> list[str]:
    """The last rules among some bodies, one a line."""
    found = [b.value for b in bodies if _is_rule(b)]
    rules = found[-1] if found and isinstance(found[-1], list) else []
    words = [str(rule["text"]) for rule in rules if isinstance(rule, dict) and rule.get("text")]
    return [line for text in words for line in wrap(f"- {text}", width)]


def insights_text(bodies: Iterable[Any], width: int) -> str:
    """What the run has taught so far, "" where no rule was left."""
    lines = _rules(bodies, width)
    return "\n".join(["", "Insights so far:", *lines]) + "\n" if lines else ""


def _cost(events: Sequence[Event], width: int) -> list[str]:
    called = [event.body for event in events if isinstance(event.body, Called)]
    device = sum(
        event.body.used.device_seconds for event in events if isinstance(event.body, Settled)
    )
    wall = events[-1].time - events[0].time if events else 0.0
    pairs = [("device", seconds(device)), ("wall clock", seconds(wall))]
    if called:
        tokens, usd = (
            sum(getattr(body.used, name) for body in called) for name in ("tokens", "usd")
        )
        asked = count(len(called), "call")
        pairs.append(("outside", f"{asked}, {tokens:,} tokens, {usd:.4f} USD"))
    return [line for label, text in pairs for line in field(label, text, width)]
