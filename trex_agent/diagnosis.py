"""Diagnosis: what a node taught, from per-item outcomes and training records; rules, no opinion.

The scores are compared first; then, unless that is switched off, every item: what was fixed and
broken against the parent, how the bad cases fall into groups, and what each group has that right
items have not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal

from ft_bench.digest import canonical_json, derive_seed
from ft_bench.lab import model_id
from ft_bench.protocols import Lab
from ft_bench.record import CaseGroup, Diagnosis, Finding
from ft_bench.tree import Node, Outcome
from trex_agent.casebook import casebook
from trex_agent.cases import Case, read_cases
from trex_agent.causes import pool_findings
from trex_agent.determinants import determinants
from trex_agent.groups import group_cases
from trex_agent.transition import before_of, contrasts, flips_of, item_delta

__all__ = ["NEW_BEST", "Depth", "Label", "diagnose", "incumbent"]

NEW_BEST = 0.9
_NAMED = 2
Verdict = Literal["baseline", "new best", "tie", "worse", "failed"]
Depth = Literal["full", "metrics"]
Label = Callable[[Sequence[CaseGroup], Sequence[Case]], tuple[Sequence[CaseGroup], str]]
"""Gives groups of bad cases names that read better: as many, in the same order, and who named them,
or why nobody did."""


def _as_found(
    groups: Sequence[CaseGroup], cases: Sequence[Case]
) -> tuple[Sequence[CaseGroup], str]:
    return groups, ""


def incumbent(lab: Lab) -> tuple[Node, Outcome] | None:
    """The standing best: the last node whose verdict was "new best", else the baseline."""
    for node in reversed(list(lab.tree)):
        if node.diagnosis is not None and node.diagnosis.verdict in ("new best", "baseline"):
            best = node.best(lab.tree.direction)
            if best is not None:
                return node, best
    return None


def diagnose(lab: Lab, node: int, depth: Depth = "full", label: Label = _as_found) -> Diagnosis:
    """Compare a node's best variant with its parent's and with the standing best.

    A new best needs P(better) of at least 0.9 under the paired bootstrap; else it is a tie, and a
    tie leaves the standing best where it is.

    Args:
        lab: the bench.
        node: to be closed.
        depth: "metrics" compares scores and training records alone; "full" looks at every item too.
        label: gives groups of bad cases better names, from the groups and all cases.
    """
    here = lab.tree.node(node)
    best = here.best(lab.tree.direction)
    if best is None:
        found, cases = _failed(lab, here), []
    else:
        found = _scored(lab, here, best, flips=depth == "full")
        cases = read_cases(lab, model_id(node, best.index)) if depth == "full" else []
    if cases and best is not None:
        found = found.model_copy(update=_bad_cases(lab, here, found, cases, label))
    if best is not None:
        found = found.model_copy(update={"text": _text(lab, here, best, found, depth)})
    return found.model_copy(update={"report": casebook(lab.tree, here, found, cases)})


def _failed(lab: Lab, here: Node) -> Diagnosis:
    return Diagnosis(
        verdict="failed",
        findings=_failures(here),
        text=_failure_text(here),
        determinants=determinants(lab.tree),
    )


def _scored(lab: Lab, here: Node, best: Outcome, *, flips: bool) -> Diagnosis:
    """What scores and training records tell, without a look at single items."""
    model = model_id(here.id, best.index)
    standing = incumbent(lab)
    verdict, probability = _verdict(lab, here, model, standing)
    before_model, before = before_of(lab.tree, here)
    over_parent = probability
    if before is not None and standing is not None and before is not standing[1]:
        over_parent = lab.probability_better(model, before_model)
    return Diagnosis(
        probability_better=probability,
        verdict=verdict,
        findings=(*_training_findings(best), *_failures(here)),
        contrasts=contrasts(lab, here, over_parent, flips=flips),
        determinants=determinants(lab.tree),
    )


def _bad_cases(
    lab: Lab, here: Node, found: Diagnosis, cases: Sequence[Case], label: Label
) -> dict[str, object]:
    """What only single items tell, as fields of a Diagnosis."""
    best = here.best(lab.tree.direction)
    model = model_id(here.id, best.index if best else 0)
    items, before = lab.items(model), lab.items(before_of(lab.tree, here)[0])
    flips = flips_of(items, before)
    seed = derive_seed(lab.brief.seed, "groups", here.id)
    groups, named_by = label(group_cases(lab, cases, frozenset(flips.broken), seed), cases)
    findings = (*_item_findings(items), *pool_findings(groups, len(cases)))
    return {
        "fixed": len(flips.fixed),
        "broken": len(flips.broken),
        "still_wrong": len(flips.still_wrong),
        "item_delta": item_delta(lab, model, items, before),
        "groups": tuple(groups),
        "named_by": named_by,
        "findings": (*findings, *found.findings),
    }


def _verdict(
    lab: Lab, here: Node, model: str, standing: tuple[Node, Outcome] | None
) -> tuple[Verdict, float | None]:
    if standing is None or here.parent is None:
        return "baseline", None
    node, outcome = standing
    probability = lab.probability_better(model, model_id(node.id, outcome.index))
    if probability >= NEW_BEST:
        return "new best", probability
    return ("worse" if probability <= 1 - NEW_BEST else "tie"), probability


def _item_findings(items: Sequence[dict[str, Any]]) -> list[Finding]:
    """Named rules over the best variant's outcomes."""
    found = []
    invalid = sum(not item["valid"] for item in items) / max(1, len(items))
    if invalid > 0.1:
        found.append(
            Finding(
                name="invalid format",
                share=invalid,
                text=f"{invalid:.0%} of the outputs hold no answer; more or cleaner answers help",
            )
        )
    answers = Counter(canonical_json(item["prediction"]) for item in items)
    top = max(answers.values(), default=0) / max(1, len(items))
    if top > 0.8:
        found.append(
            Finding(
                name="skewed predictions",
                share=top,
                text=f"{top:.0%} of the outputs are one and the same answer",
            )
        )
    return found


def _training_findings(best: Outcome) -> list[Finding]:
    trained = best.trained
    if trained is None or trained.train_loss is None or trained.final_loss is None:
        return []
    found = []
    if trained.truncated > 0.02:
        text = f"{trained.truncated:.0%} of the texts were cut at max_length"
        found.append(Finding(name="texts truncated", share=trained.truncated, text=text))
    if trained.final_loss > 0.9 * trained.train_loss:
        text = f"the loss went from {trained.train_loss:.3f} to {trained.final_loss:.3f} only"
        found.append(Finding(name="loss is flat", share=1.0, text=text))
    return found


def _failures(node: Node) -> tuple[Finding, ...]:
    counts = Counter(failure.failure for failure in node.failures())
    return tuple(
        Finding(
            name="training diverged" if kind == "DIVERGED" else f"failed: {kind}",
            share=count / len(node.outcomes),
            text=f"{count} of {len(node.outcomes)} variants ended with {kind}",
        )
        for kind, count in sorted(counts.items())
    )


def _failure_text(node: Node) -> str:
    causes = [failure.cause for failure in node.failures()]
    return f"No variant was scored: {causes[0] if causes else 'nothing was trained'}."


def _text(lab: Lab, here: Node, best: Outcome, found: Diagnosis, depth: Depth) -> str:
    """The diagnosis in a few sentences: what memory shows of a node where there is little room."""
    _, before = before_of(lab.tree, here)
    value = best.score.value if best.score else float("nan")
    then = before.score.value if before and before.score else None
    against = f" against {then:.3f} at the parent" if then is not None else ""
    fields = next((c.fields for c in found.contrasts if c.variant == best.index), ())
    what = f"; changed {', '.join(fields)}" if fields else ""
    text = f"{found.verdict}: {value:.3f}{against}{what}."
    if depth == "metrics":
        return text
    text += f" {found.fixed} items fixed, {found.broken} broken, {found.still_wrong} still wrong."
    named = [f"{group.label} ({group.items:,} items)" for group in found.groups[:_NAMED]]
    return text + (f" Bad cases: {'; '.join(named)}." if named else "")
