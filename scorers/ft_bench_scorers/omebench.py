"""oMeBench: reaction mechanisms, four components and their weighted sum.

V is the share of predicted structures that are molecules, LFS the share of gold steps whose
sub-type is matched, S_total and S_partial the aligned gold weights (see `mechanism`). Upstream
rounds each to two decimals per reaction. How the benchmark combines the four is not published: the
weights are an argument of `ome_scorer`, equal by default, and the four are always reported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ft_bench.protocols import ItemScore, Row
from ft_bench_scorers.means import MeanScorer
from ft_bench_scorers.mechanism import Step, Structure, align
from ft_bench_scorers.molecules import quiet
from ft_bench_scorers.reasoning import VERBATIM

__all__ = ["EQUAL_WEIGHTS", "SCORER", "ome_scorer", "read_answer", "read_steps"]

EQUAL_WEIGHTS = {"V": 0.25, "LFS": 0.25, "S_total": 0.25, "S_partial": 0.25}
_MAX_CHARS = 200_000
_MAX_STEPS = 1_000
_LIST = re.compile(r"\[.*\]", re.DOTALL)
_NOTHING = {"V": 0.0, "LFS": 0.0, "S_total": 0.0, "S_partial": 0.0, "cut": 0.0}


def read_answer(text: str, parser: str) -> Any:
    """The JSON value that upstream's parser finds, or the text itself where it is not JSON.

    Args:
        text: the output.
        parser: `base_model` also takes the widest `[...]` out of the text, as upstream does for
            models without a chat template.
    """
    text = text.strip()
    if "[ANSWER]" in text:
        text = text.split("[ANSWER]", 2)[1].split("[/ANSWER]", 1)[0].strip()
    if text.startswith("```"):
        text = text.strip("`").replace("json\n", "").replace("JSON\n", "").strip()
    if "is :" in text:
        text = text.split("is :", 2)[1].strip()
    if parser == "base_model":
        text = text.replace("### Response:", "").replace("Assistant:", "")
        widest = _LIST.search(text)
        text = widest.group() if widest else text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def read_steps(answer: Any) -> list[Step] | None:
    """The predicted steps, or None where one of them has no sub-type or no SMILES text."""
    if isinstance(answer, dict):
        answer = answer.get("mechanism", answer)
    if not isinstance(answer, list):
        return None
    for step in answer:
        if not isinstance(step, dict) or "subtype" not in step:
            return None
        if not isinstance(step.get("intermediate_smiles"), str):
            return None
    return [
        Step(step["subtype"], Structure(step["intermediate_smiles"]))
        for step in answer[:_MAX_STEPS]
    ]


def _gold_steps(row: Row) -> list[Step]:
    return [
        Step(step["subtype"], Structure(step["intermediate_smiles"]), float(step["step_weight"]))
        for step in row["mechanism"]
    ]


def _components(row: Row, steps: list[Step]) -> tuple[dict[str, float], list[str]]:
    gold = _gold_steps(row)
    found = align(gold, steps)
    readable = sum(step.structure.atoms > 0 for step in steps)
    parts = {
        "V": round(readable / max(1, len(steps)), 2),
        "LFS": round(found.actions.count("match") / max(1, len(gold)), 2),
        "S_total": round(found.total, 2),
        "S_partial": round(found.partial, 2),
        "cut": float(any(step.structure.cut for step in steps) or len(steps) == _MAX_STEPS),
    }
    return parts, list(found.actions)


class _Weighted:
    """Scores one reaction under fixed weights; an object rather than a closure: it pickles."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self.weights = dict(weights)

    def __call__(self, row: Row, text: str, parser: str) -> ItemScore:
        if len(text) > _MAX_CHARS:
            return ItemScore(str(row["id"]), 0.0, False, None, {**_NOTHING, "cut": 1.0})
        with quiet():
            steps = read_steps(read_answer(text, parser))
            if steps is None:
                return ItemScore(str(row["id"]), 0.0, False, None, dict(_NOTHING))
            parts, actions = _components(row, steps)
        value = sum(weight * parts[name] for name, weight in self.weights.items())
        return ItemScore(str(row["id"]), value, bool(steps), actions, parts)


def ome_scorer(weights: Mapping[str, float] = EQUAL_WEIGHTS) -> MeanScorer:
    """The scorer whose item value is the weighted sum of V, LFS, S_total and S_partial."""
    return MeanScorer(
        name="omescore",
        version="1",
        score=_Weighted(weights),
        parsers=("strict", "base_model", VERBATIM),
        parts=("V", "LFS", "S_total", "S_partial", "cut"),
    )


SCORER = ome_scorer()
