"""GTA dialogues: what a whole predicted dialogue earned, as upstream scores agents end to end.

FT-Bench's headline does not need it (no sample can be solved by local tools alone); it is here for
users who ran an agent with real tools. A dialogue is a JSON list of steps, as upstream stores its
predictions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from ft_bench.protocols import Row
from ft_bench_scorers.gta_answers import Similarity, answer_score
from ft_bench_scorers.gta_react import Step, arguments_of, is_call, name_of

__all__ = ["CATEGORIES", "COLUMNS", "IMAGE_TOOLS", "dialogue_means", "dialogue_parts", "read_steps"]

CATEGORIES = {
    "p": ("OCR", "ImageDescription", "RegionAttributeDescription", "TextToBbox"),
    "o": ("DrawBox", "AddText", "GoogleSearch"),
    "l": ("Calculator", "Solver", "Plot", "MathOCR", "CountGivenObject"),
    "c": ("TextToImage", "ImageStylization"),
}
"""Perception, operation, logic, creativity."""

IMAGE_TOOLS = ("DrawBox", "AddText", "Plot", "TextToImage", "ImageStylization")

COLUMNS = (
    "dialogue",
    "image",
    *(f"{key}_{part}" for key in CATEGORIES for part in ("hit", "made", "gold")),
)
"""What is summed over dialogues: how many, the scores of images, and calls by category."""

_SMALL = 1e-5
_MAX_CHARS = 1_000_000

Dialogue = Sequence[Step]


def read_steps(text: str) -> list[Step] | None:
    """The steps of a predicted dialogue, None where `text` is no list of steps."""
    try:
        steps = json.loads(text[:_MAX_CHARS])
        for step in steps:
            if is_call(step):
                name_of(step), arguments_of(step)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return None
    return steps if isinstance(steps, list) else None


def _calls(dialogue: Iterable[Step]) -> list[Step]:
    return [step for step in dialogue if is_call(step)]


def _final_answer(dialogue: Dialogue) -> str:
    last = dialogue[-1] if dialogue else {}
    spoken = last.get("role") == "assistant" and not is_call(last)
    return str(last.get("content") or "") if spoken else ""


def _written(dialogue: Iterable[Step]) -> list[list[str]]:
    """Name and arguments of each call, the arguments as JSON text in their own order."""
    return [[name_of(step), json.dumps(arguments_of(step))] for step in _calls(dialogue)]


def _image_score(
    gold: Sequence[Sequence[str]], predicted: Dialogue, similarity: Similarity
) -> float:
    """Product of the likeness of the arguments of each gold image call; the last call wins."""
    made = dict(_written(step for step in predicted if not step.get("error")))
    score = 1.0
    for name, wanted in gold:
        if name in IMAGE_TOOLS:
            score *= similarity(wanted, made[name]) if name in made else 0.0
    return score


def dialogue_parts(row: Row, predicted: Dialogue, similarity: Similarity) -> dict[str, float]:
    """The parts of one dialogue, which add up over dialogues.

    Args:
        row: needs `dialogs` and `reference` (upstream's gt_answer); prepared rows, whose keys are
            sorted, also have `calls`: each gold call's name and arguments as text, because
            upstream compares the texts.
        predicted: the steps that were read.
        similarity: compares texts; upstream uses an embedding model.
    """
    reference, text = row["reference"], _final_answer(predicted)
    calls = _calls(predicted)
    names = [name_of(step) for step in calls]
    gold = [name_of(step) for step in _calls(row["dialogs"])]
    parts = {"dialogue": 1.0, "tool_call": float(len(calls))}
    parts["tool_call_error"] = float(sum(bool(step.get("error")) for step in calls))
    if not reference:
        written = row["calls"] if "calls" in row else _written(row["dialogs"])
        parts["image"] = _image_score(written, predicted, similarity)
    elif text:
        parts["answer"] = answer_score(reference, text, similarity)
    for key, tools in CATEGORIES.items():
        wanted = [name for name in gold if name in tools]
        parts[f"{key}_hit"] = float(sum(name in names for name in wanted))
        parts[f"{key}_made"] = float(sum(name in tools for name in names))
        parts[f"{key}_gold"] = float(len(wanted))
    return parts


def dialogue_means(sums: Mapping[str, float], references: float) -> dict[str, float]:
    """AnsAcc, Ans+I, the F1 of the four categories (which may exceed 1), and call counts.

    Args:
        sums: the parts, summed over the dialogues.
        references: how many of their samples have a reference.
    """
    answers, dialogues = sums["answer"], max(sums["dialogue"], 1.0)
    return {
        "answer_acc": answers / max(references, 1.0),
        "answer_acc_w_imggen": (answers + sums["image"]) / dialogues,
        "total_ansacc": answers,
        "total_ansacc_wimggen": answers + sums["image"],
        "tool_call": sums["tool_call"],
        "tool_call_error": sums["tool_call_error"],
        **{
            f"{key}_f1": _f1(*(sums[f"{key}_{part}"] for part in ("hit", "made", "gold")))
            for key in CATEGORIES
        },
    }


def _f1(hits: float, made: float, gold: float) -> float:
    if not gold:
        return 0.0
    precision, recall = hits / (made + _SMALL), hits / gold
    return 2.0 * precision * recall / (precision + recall + _SMALL)
