"""Diagnosis: what a node taught, from per-item outcomes and training records; rules, no opinion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from ft_bench.digest import canonical_json
from ft_bench.lab import BASE, model_id
from ft_bench.plan import changes
from ft_bench.protocols import Lab
from ft_bench.record import Diagnosis, Finding
from ft_bench.tree import Node, Outcome

__all__ = ["NEW_BEST", "diagnose", "incumbent"]

NEW_BEST = 0.9
_RIGHT = 1 - 1e-9
Verdict = Literal["baseline", "new best", "tie", "worse", "failed"]


def incumbent(lab: Lab) -> tuple[Node, Outcome] | None:
    """The standing best: the last node whose verdict was "new best", else the baseline."""
    for node in reversed(list(lab.tree)):
        if node.diagnosis is not None and node.diagnosis.verdict in ("new best", "baseline"):
            best = node.best(lab.tree.direction)
            if best is not None:
                return node, best
    return None


def diagnose(lab: Lab, node: int) -> Diagnosis:
    """Compare a node's best variant with its parent's and with the standing best.

    A new best needs P(better) of at least 0.9 under the paired bootstrap; else it is a tie, and a
    tie leaves the standing best where it is.
    """
    here = lab.tree.node(node)
    best = here.best(lab.tree.direction)
    if best is None:
        return Diagnosis(verdict="failed", findings=_failures(here), text=_failure_text(here))
    model = model_id(node, best.index)
    items = lab.items(model)
    before_model, before = _before(lab, here)
    flips = _flips(items, lab.items(before_model))
    standing = incumbent(lab)
    verdict, probability = _verdict(lab, here, model, standing)
    findings = (*_findings(best, items), *_failures(here))
    made = changes((before.recipe, before.variant), (best.recipe, best.variant)) if before else ()
    return Diagnosis(
        fixed=flips[0],
        broken=flips[1],
        still_wrong=flips[2],
        probability_better=probability,
        verdict=verdict,
        findings=findings,
        text=_text(verdict, best, flips, [change.field for change in made], before),
    )


def _before(lab: Lab, here: Node) -> tuple[str, Outcome | None]:
    """What flips are counted against: the parent's best, at the root the base."""
    if here.parent is None:
        return BASE, None
    best = lab.tree.node(here.parent).best(lab.tree.direction)
    return (model_id(here.parent, best.index), best) if best else (BASE, None)


def _flips(
    after: Sequence[dict[str, Any]], before: Sequence[dict[str, Any]]
) -> tuple[int, int, int]:
    pairs = [
        (now["value"] >= _RIGHT, then["value"] >= _RIGHT)
        for now, then in zip(after, before, strict=True)
    ]
    return pairs.count((True, False)), pairs.count((False, True)), pairs.count((False, False))


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


def _findings(best: Outcome, items: Sequence[dict[str, Any]]) -> tuple[Finding, ...]:
    """Named rules over the best variant's outcomes and its training."""
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
    return (*found, *_training_findings(best))


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


def _text(
    verdict: Verdict,
    best: Outcome,
    flips: tuple[int, int, int],
    fields: Sequence[str],
    before: Outcome | None,
) -> str:
    value = best.score.value if best.score else float("nan")
    then = before.score.value if before and before.score else None
    against = f" against {then:.3f} at the parent" if then is not None else ""
    what = f"; changed {', '.join(fields)}" if fields else ""
    return (
        f"{verdict}: {value:.3f}{against}{what}. "
        f"{flips[0]} items fixed, {flips[1]} broken, {flips[2]} still wrong."
    )
