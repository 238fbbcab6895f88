"""GTA's rows: every assistant turn of the gold dialogues, seen with the history before it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ft_bench.protocols import RowReader, TaskData
from ft_bench.tasks.carve import in_stable_order
from ft_bench.tasks.gta.react import gold_text, messages_before, prompt_of

__all__ = ["VALIDATION_SAMPLES", "dialogue_row", "prepare", "rows_of", "tools_of"]

VALIDATION_SAMPLES = 46
"""A fifth of the 229 samples, with all their turns."""

_LEFT_OUT = {"CountGivenObject": "bbox"}


def tools_of(samples: Mapping[str, Any]) -> dict[str, Any]:
    """The definition of each tool by its name, as upstream's `toolmeta.json` has it.

    The samples repeat the definitions; one tool's have an input there that the file has not.
    """
    tools: dict[str, Any] = {}
    for sample in samples.values():
        for tool in sample["tools"]:
            left_out = _LEFT_OUT.get(tool["name"])
            inputs = [entry for entry in tool["inputs"] if entry["name"] != left_out]
            tools.setdefault(tool["name"], {**tool, "inputs": inputs})
    return tools


def _files(sample: Mapping[str, Any]) -> list[str]:
    made = [
        turn["content"]["content"]
        for turn in sample["dialogs"]
        if turn["role"] == "tool" and turn["content"]["type"] == "image"
    ]
    return sorted({*(file["path"] for file in sample["files"]), *made})


def _answer(turn: Mapping[str, Any]) -> str:
    text = gold_text(turn)
    return text if turn.get("tool_calls") else f"Final Answer:{text}"


def rows_of(
    name: str, sample: Mapping[str, Any], toolmeta: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """One row per assistant turn; the last one counts the sample in the metric's denominator."""
    dialogue = sample["dialogs"]
    turns = [at for at, turn in enumerate(dialogue) if turn["role"] == "assistant"]
    tools = [
        {"name": tool["name"], "inputs": toolmeta[tool["name"]]["inputs"]}
        for tool in sample["tools"]
    ]
    return [
        {
            "id": f"{name}-{at}",
            "prompt": prompt_of(messages_before(sample, at, toolmeta)),
            "answer": _answer(dialogue[at]),
            "sample": name,
            "turn": at,
            "gold": dialogue[at],
            "reference": sample["gt_answer"],
            "counts": int(at == turns[-1] and bool(sample["gt_answer"])),
            "tools": tools,
            "files": _files(sample),
        }
        for at in turns
    ]


def dialogue_row(name: str, sample: Mapping[str, Any]) -> dict[str, Any]:
    """A sample as one row, for predictions that are whole dialogues.

    `calls` keeps the arguments as texts: keys are sorted where rows are written, and upstream
    compares the texts.
    """
    dialogue = sample["dialogs"]
    functions = [turn["tool_calls"][0]["function"] for turn in dialogue if turn.get("tool_calls")]
    return {
        "id": name,
        "prompt": str(dialogue[0]["content"]),
        "answer": "",
        "dialogs": dialogue,
        "calls": [[made["name"], json.dumps(made["arguments"])] for made in functions],
        "reference": sample["gt_answer"],
        "counts": int(bool(sample["gt_answer"])),
    }


def prepare(source: RowReader) -> TaskData:
    """Validation is carved by a hash of the question; there is no training split upstream.

    The samples themselves are spare: what an agent with tools said is scored against them.
    """
    samples = json.loads(source.path("dataset.json").read_text(encoding="utf-8"))
    toolmeta = tools_of(samples)
    order = in_stable_order(samples, lambda name: str(samples[name]["dialogs"][0]["content"]))
    chosen = set(order[:VALIDATION_SAMPLES])
    rows = {name: rows_of(name, sample, toolmeta) for name, sample in samples.items()}
    validation = [row for name in samples if name in chosen for row in rows[name]]
    test = [row for name in samples if name not in chosen for row in rows[name]]
    notes = (
        f"Validation is {len(chosen)} of {len(samples)} samples, by a hash of the question.",
        "There are no training rows upstream. Images are path strings only.",
    )
    spare = [dialogue_row(name, sample) for name, sample in samples.items()]
    return TaskData([], validation, test, notes, spare)
