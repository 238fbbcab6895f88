"""Html: a run's report as one offline file: no script, no network, every view from the records."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_bench.files import write_text
from ft_bench.integrity import flag_words
from ft_bench.record import Determinant, Failed, Opened, Score, Settled, Trained
from ft_bench.report import card as card_words
from ft_bench.report import figures, recipe
from ft_bench.report.cases import read_cases
from ft_bench.report.cells import cut
from ft_bench.report.curve import growth
from ft_bench.report.forest import forest
from ft_bench.report.history import History, read_history
from ft_bench.report.reproduce import command
from ft_bench.report.strip import effects, landing
from ft_bench.report.tally import failures, phases, strategies
from ft_bench.report.tree_text import (
    STRATEGIES,
    changed_words,
    delta_to_parent,
    node_verdict,
    own_recipe_words,
    steering_words,
)
from ft_bench.store import RunPaths
from ft_bench.tree import Node

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["render", "write_report"]

_MOST_CASES = 50
_MOST_DETERMINANTS = 12
_MOST_TEXT = 3_000
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def write_report(paths: RunPaths, out: Path) -> Path:
    """Write the report of a run, which may still be under way.

    Args:
        paths: of the run.
        out: the file, replaced whole.

    Returns:
        `out`.

    Raises:
        DataMissing: where the directory is no run, or its card is malformed.
        ChainBroken: where the journal was altered.
    """
    write_text(out, render("page.html.j2", **_views(read_history(paths))))
    return out


def render(template: str, **views: Any) -> str:
    """A template of this folder with the one style sheet, whose hash is all that a browser runs."""
    style = _resource("page.css")
    page = _environment().get_template(template)
    return page.render(style=style, style_hash=_hash(style), **views)


def _resource(name: str) -> str:
    return (resources.files("ft_bench.report") / name).read_text(encoding="utf-8")


def _hash(style: str) -> str:
    """What a content security policy lets the one style sheet in by."""
    return base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")


def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_resource),
    )
    names = ("count", "metric_name", "number", "percent", "score", "seconds", "signed", "usage")
    environment.filters.update({name: getattr(figures, name) for name in names})
    environment.filters |= {"clip": _clip, "cut": cut, "limits": figures.limits}
    environment.globals |= {
        "change_words": recipe.change_words,
        "flag_words": flag_words,
        "lineage_words": recipe.lineage_words,
        "overlap_words": recipe.overlap_words,
        "passages": recipe.passages,
        "recipe_words": recipe.recipe_words,
        "scheme_words": recipe.scheme_words,
        "own_recipe_words": own_recipe_words,
        "excludes_zero": figures.excludes_zero,
        "selected_words": card_words.selected_words,
        "verdict_of": node_verdict,
        "STRATEGIES": STRATEGIES,
    }
    return environment


def _shown(text: str) -> str:
    """Text that a browser may have: what cannot be seen, or turns text round, becomes a mark."""
    return _UNSEEN.sub("�", text)


def _clip(text: str, most: int = _MOST_TEXT) -> str:
    """The text as `_shown`, and of what is left out how much it is."""
    if len(text) <= most:
        return _shown(text)
    return f"{_shown(text[:most])} … ({len(text) - most:,} more characters)"


def _views(history: History) -> dict[str, Any]:
    card = history.card
    trained = history.trained(history.chosen)
    return {
        "history": history,
        "run": history.manifest,
        "card": card,
        "headline": card_words.headline(card) if card else _progress(history),
        "warnings": card_words.warnings(card) if card else [],
        "landing": landing(card) if card else None,
        "curves": growth(history),
        "forest": forest(history),
        "nodes": [_node(history, node) for node in history.tree],
        "strategies": strategies(history.tree),
        "phases": phases(history),
        "failures": failures(history.of(Failed)),
        "cases": read_cases(history, _MOST_CASES),
        "dataset": history.dataset,
        "trained": trained,
        "scheme": _scheme(history, trained),
        "insights": _json(history.insights),
        "effects": effects(history.insights),
        "rules": _rules(history.insights),
        "determinants": _determinants(history),
        "steering": steering_words(history.tree),
        "attempts": sum(1 for _ in history.of(Opened)),
        "orphans": sum(body.orphan for body in history.of(Settled)),
        "command": command(history.manifest),
        "data": _data(history),
    }


def _determinants(history: History) -> tuple[Determinant, ...]:
    """What went with gains, as the last diagnosis that says so has it."""
    held = [node.diagnosis.determinants for node in history.tree if node.diagnosis is not None]
    return next((found for found in reversed(held) if found), ())[:_MOST_DETERMINANTS]


def _rules(value: Any) -> list[str]:
    """Rules in words: those that the drawing cannot show, failures that came again."""
    items = value if isinstance(value, list) else []
    held = [item for item in items if isinstance(item, dict) and "effect" not in item]
    return [str(item["text"]) for item in held if item.get("text")]


def _json(value: Any) -> str:
    """Data of unknown form as a person can read it, "" where there is none."""
    return json.dumps(value, ensure_ascii=False, indent=1) if value else ""


def _progress(history: History) -> str:
    """The first sentence as long as there is no card."""
    tree, run = history.tree, history.manifest
    begun = f"{run.agent} on {run.task} has no result card yet"
    best = tree.best()
    if best is None or best[1].score is None:
        return f"{begun}; {figures.count(len(tree), 'node')}, none scored so far."
    value = figures.number(best[1].score.value)
    name = figures.metric_name(best[1].score.metric)
    return (
        f"{begun}; {figures.count(len(tree), 'node')}, the best on validation so far is node "
        f"{best[0].id} with {value} {name}. The sealed test is still sealed."
    )


def _node(history: History, node: Node) -> dict[str, Any]:
    """What the page shows of a node beside the node itself."""
    tree = history.tree
    return {
        "node": node,
        "value": tree.value(node.id),
        "delta": delta_to_parent(tree, node),
        "on_path": node.id in history.path,
        "changed": changed_words(tree, node),
    }


def _scheme(history: History, trained: Trained | None) -> str:
    if trained is None or trained.node not in history.tree.nodes:
        return ""
    return recipe.scheme_words(history.tree.node(trained.node).outcomes[trained.variant].variant)


def _data(history: History) -> str:
    """The numbers of the page as JSON that cannot end the element it stands in."""
    tree = history.tree
    data = {
        "run_id": history.paths.root.name,
        "card": history.card.model_dump(mode="json") if history.card else None,
        "base": _number(tree.base),
        "nodes": [
            {"id": n.id, "parent": n.parent, "status": n.status, "value": tree.value(n.id)}
            for n in tree
        ],
        "best_so_far": tree.curve(),
    }
    text = json.dumps(data, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _number(score: Score | None) -> float | None:
    return score.value if score else None
