"""Casebook: a node's diagnosis as Markdown, for people and for a language model's memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ft_bench.plan import Change, changes
from ft_bench.record import Contrast, Determinant, Diagnosis
from ft_bench.tree import Node, Tree
from trex_agent.cases import Case
from trex_agent.transition import before_of

__all__ = ["casebook"]

_MOST_SHOWN = 300
_MOST_DETERMINANTS = 8


def casebook(tree: Tree, node: Node, found: Diagnosis, cases: Sequence[Case]) -> str:
    """The whole report: verdict, changes, variants, groups with examples, what went with gains.

    Args:
        tree: with the node in it.
        node: that is diagnosed.
        found: everything but the report.
        cases: of the best variant, for the examples; empty where items were not looked at.
    """
    parts = [
        f"# Node {node.id}: {found.verdict}",
        f"{node.plan.strategy.replace('_', ' ')}. {_line(node.plan.objective)}",
        _line(found.text),
        *_changed(tree, node),
        *_items(found),
        *_variants(found.contrasts),
        *_findings(found),
        *_groups(found, {case.question.id: case for case in cases}),
        *_determinants(found.determinants),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _line(text: str, most: int = 1_000) -> str:
    """Text on one line, without what a terminal or a page would obey."""
    shown = "".join(mark if mark.isprintable() else " " for mark in text[:most])
    return " ".join(shown.split()) + (" …" if len(text) > most else "")


def _changed(tree: Tree, node: Node) -> Iterator[str]:
    model, before = before_of(tree, node)
    best = node.best(tree.direction)
    if before is None or best is None:
        return
    made = changes((before.recipe, before.variant), (best.recipe, best.variant))
    yield f"## Changed against {model}, the parent's best"
    yield "\n".join(f"- {_change(one)}" for one in made) or "Nothing."


def _change(one: Change) -> str:
    return _line(f"`{one.field}`: {one.before} -> {one.after}", 300)


def _items(found: Diagnosis) -> Iterator[str]:
    if not found.groups and not (found.fixed or found.broken or found.still_wrong):
        return
    yield "## Items"
    text = f"{found.fixed:,} fixed, {found.broken:,} broken, {found.still_wrong:,} still wrong."
    delta = found.item_delta
    if delta is not None:
        text += (
            f" The mean item value moved by {delta.low:+.4f} to {delta.high:+.4f} "
            f"(95 %, {delta.method})."
        )
    yield text


def _variants(made: Sequence[Contrast]) -> Iterator[str]:
    if not made:
        return
    yield "## Variants against the parent's best"
    yield _table(
        ("variant", "delta", "P(better)", "fixed", "broken", "changed"),
        [
            (
                str(one.variant),
                f"{one.delta:+.4f}",
                "" if one.probability_better is None else f"{one.probability_better:.2f}",
                f"{one.fixed:,}",
                f"{one.broken:,}",
                ", ".join(one.fields) or "nothing",
            )
            for one in made
        ],
    )


def _findings(found: Diagnosis) -> Iterator[str]:
    if found.findings:
        yield "## Findings"
        yield "\n".join(f"- {one.name}: {_line(one.text)}" for one in found.findings)


def _groups(found: Diagnosis, cases: Mapping[str, Case]) -> Iterator[str]:
    if not found.groups:
        return
    yield "## Bad cases"
    if found.named_by:
        yield f"Named by {_line(found.named_by, 300)}."
    for number, group in enumerate(found.groups, start=1):
        broken = f", {group.broken:,} of them right at the parent" if group.broken else ""
        yield f"### {number}. {_line(group.label, 200)}: {group.items:,} items{broken}"
        yield "\n".join(f"- {one.name}: {_line(one.text)}" for one in group.causes)
        for name in group.examples:
            if name in cases:
                yield _example(cases[name])


def _example(case: Case) -> str:
    lines = (
        ("asked", case.question.prompt),
        ("right", case.question.answer),
        ("answered", case.output),
    )
    shown = [f"> {label}: {_quoted(text)}" for label, text in lines]
    return "\n>\n".join([f"> item {_quoted(case.question.id)}", *shown])


def _quoted(text: str) -> str:
    """Foreign text as code, so that no mark in it is taken for Markdown."""
    shown = _line(text, _MOST_SHOWN) or "(empty)"
    fence = "`"
    while fence in shown:
        fence += "`"
    return f"{fence} {shown} {fence}" if "`" in shown else f"`{shown}`"


def _determinants(found: Sequence[Determinant]) -> Iterator[str]:
    if not found:
        return
    yield "## What went with gains so far"
    yield _table(
        ("change", "effect", "95 % interval", "pairs"),
        [
            (one.field, f"{one.effect:+.4f}", f"{one.low:+.4f} to {one.high:+.4f}", str(one.n))
            for one in found[:_MOST_DETERMINANTS]
        ],
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        f"| {' | '.join(_line(cell, 200).replace('|', chr(92) + '|') for cell in row)} |"
        for row in lines
    )
