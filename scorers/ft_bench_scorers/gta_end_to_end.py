"""GTA end to end: the scores of whole predicted dialogues, as upstream computes them.

FT-Bench's headline does not need it (no sample can be solved by local tools alone); it is here for
users who ran an agent with real tools. All scores are in percent, as upstream prints them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ft_bench_scorers.gta_answers import Similarity, answer_score, trigram_similarity
from ft_bench_scorers.gta_react import Step, arguments_of, is_call, name_of

__all__ = ["CATEGORIES", "IMAGE_TOOLS", "end_to_end"]

CATEGORIES = {
    "p": ("OCR", "ImageDescription", "RegionAttributeDescription", "TextToBbox"),
    "o": ("DrawBox", "AddText", "GoogleSearch"),
    "l": ("Calculator", "Solver", "Plot", "MathOCR", "CountGivenObject"),
    "c": ("TextToImage", "ImageStylization"),
}
"""Perception, operation, logic, creativity."""

IMAGE_TOOLS = ("DrawBox", "AddText", "Plot", "TextToImage", "ImageStylization")
_SMALL = 1e-5

Dialogue = Sequence[Step]


def _calls(dialogue: Iterable[Step]) -> list[Step]:
    return [step for step in dialogue if is_call(step)]


def _final_answer(dialogue: Dialogue) -> str:
    last = dialogue[-1] if dialogue else {}
    spoken = last.get("role") == "assistant" and not is_call(last)
    return str(last.get("content") or "") if spoken else ""


def _image_score(gold: Dialogue, predicted: Dialogue, similarity: Similarity) -> float:
    """Product of the likeness of the arguments of each gold image call; the last call wins."""
    made = {
        name_of(step): json.dumps(arguments_of(step))
        for step in _calls(predicted)
        if not step.get("error")
    }
    score = 1.0
    for step in _calls(gold):
        name = name_of(step)
        if name in IMAGE_TOOLS:
            wanted = json.dumps(arguments_of(step))
            score *= similarity(wanted, made[name]) if name in made else 0.0
    return score


def _category_f1(pairs: Sequence[tuple[Dialogue, Dialogue]], tools: Sequence[str]) -> float:
    hits = predicted_calls = gold_calls = 0
    for gold, predicted in pairs:
        names = [name_of(step) for step in _calls(predicted)]
        wanted = [name for name in map(name_of, _calls(gold)) if name in tools]
        hits += sum(name in names for name in wanted)
        predicted_calls += sum(name in tools for name in names)
        gold_calls += len(wanted)
    if not gold_calls:
        return 0.0
    precision, recall = hits / (predicted_calls + _SMALL), hits / gold_calls
    return 2 * precision * recall / (precision + recall + _SMALL)


def end_to_end(
    samples: Sequence[Mapping[str, Any]],
    predictions: Sequence[Dialogue],
    similarity: Similarity = trigram_similarity,
) -> dict[str, float]:
    """AnsAcc, Ans+I and the sums behind them, the F1 of the four tool categories, call counts.

    Args:
        samples: records of upstream's data set, with `dialogs` and `gt_answer`.
        predictions: one predicted dialogue each, a list of steps.
        similarity: compares texts; upstream uses an embedding model.
    """
    pairs = [
        (sample["dialogs"], list(made)) for sample, made in zip(samples, predictions, strict=True)
    ]
    answers = images = 0.0
    for sample, (gold, predicted) in zip(samples, pairs, strict=True):
        reference, text = sample["gt_answer"], _final_answer(predicted)
        if reference and text:
            answers += answer_score(reference, text, similarity)
        elif not reference:
            images += _image_score(gold, predicted, similarity)
    with_reference = sum(bool(sample["gt_answer"]) for sample in samples)
    calls = [step for _, predicted in pairs for step in _calls(predicted)]
    return {
        "answer_acc": 100.0 * answers / max(with_reference, 1),
        "answer_acc_w_imggen": 100.0 * (answers + images) / max(len(samples), 1),
        "total_ansacc": answers,
        "total_ansacc_wimggen": answers + images,
        "tool_call": float(len(calls)),
        "tool_call_error": float(sum(bool(step.get("error")) for step in calls)),
        **{f"{key}_f1": 100.0 * _category_f1(pairs, tools) for key, tools in CATEGORIES.items()},
    }
