"""Hand-made rows: two or three per scorer, each with an answer that scores the most."""

from __future__ import annotations

from typing import Any

from ft_bench_scorers import (
    aci_bench,
    cs_bench,
    econlogicqa,
    gta,
    hoc,
    lawbench,
    mini,
    omebench,
    openfindata,
    sst2,
    tomg_bench,
)

__all__ = ["ROWS", "SCORERS"]

SCORERS: dict[str, Any] = {
    "aci_bench": aci_bench.SCORER,
    "cs_bench": cs_bench.SCORER,
    "econlogicqa": econlogicqa.SCORER,
    "gta": gta.SCORER,
    "hoc": hoc.SCORER,
    "lawbench": lawbench.SCORER,
    "mini": mini.SCORER,
    "omebench": omebench.SCORER,
    "openfindata": openfindata.SCORER,
    "sst2": sst2.SCORER,
    "tomg_bench": tomg_bench.SCORER,
}

_TOOLS = [
    {"name": "OCR", "inputs": [{"name": "image", "type": "image", "optional": False}]},
    {"name": "Search", "inputs": [{"name": "k", "type": "int", "optional": True}]},
]
_CALL = {"tool_calls": [{"function": {"name": "OCR", "arguments": {"image": "a.jpg"}}}]}
_NAMES = {"whitelist": [["58", "fifty-eight"]], "blacklist": [["59"]]}
_STEPS = [
    {"subtype": "dissociation", "intermediate_smiles": "CC=O", "step_weight": 0.4},
    {"subtype": "coordination", "intermediate_smiles": "CCO", "step_weight": 0.6},
]
_MECHANISM = (
    '[{"subtype": "dissociation", "intermediate_smiles": "CC=O"},'
    ' {"subtype": "coordination", "intermediate_smiles": "OCC"}]'
)


def _law(subtask: str, reference: str, answer: str, **more: str) -> dict[str, Any]:
    return {"subtask": subtask, "reference": reference, "answer": answer, **more}


def _tomg(subtask: str, answer: str, **more: Any) -> dict[str, Any]:
    return {"subtask": subtask, "instruction": "", "answer": answer, **more}


def _gta(gold: dict[str, Any], answer: str, counts: int, reference: Any) -> dict[str, Any]:
    common = {"tools": _TOOLS, "files": ["a.jpg"], "dialogs": [gold]}
    return {"gold": gold, "answer": answer, "counts": counts, "reference": reference, **common}


_RAW: dict[str, list[dict[str, Any]]] = {
    "aci_bench": [{"answer": "PLAN\n\nRest, 7.5 mg."}, {"answer": "The heart is fine. No pain."}],
    "cs_bench": [
        {
            "answer": "B",
            "format": "Multiple-choice",
            "tag": "Knowledge",
            "domain": "Computer Network",
        },
        {"answer": "true", "format": "Assertion", "tag": "Reasoning", "domain": "Operating System"},
    ],
    "econlogicqa": [{"answer": "C, A, B, D"}, {"answer": "D, C, B, A"}],
    "gta": [
        _gta(_CALL, 'Action:OCR\nAction Input:{"image": "a.jpg"}', 0, _NAMES),
        _gta({"content": "58"}, "Final Answer:58", 1, _NAMES),
        _gta({"content": "a cat"}, "Final Answer:a cat", 1, ["a cat"]),
    ],
    "hoc": [
        {"answer": "inducing angiogenesis;cellular energetics"},
        {"answer": ";".join(hoc.LABELS)},
    ],
    "lawbench": [
        _law("1-2", "正确答案：B。", "[正确答案]B<eoa>"),
        _law("2-1", "甲乙丙丁。", "甲乙丙丁。", question="甲丙乙丁。"),
        _law("2-3", "类别:不动产分割。", "类别:不动产分割。"),
        _law("2-6", "时间:今天;地点:某地村", "时间:今天\n地点:某地村"),
        _law("3-4", "刑期:4个月", "[刑期]4个月<eoa>"),
        _law("3-7", "上文涉及到的犯罪金额:8500.0元。", "8500.0元"),
    ],
    "mini": [{"answer": "; ".join(mini.LABELS)}, {"answer": "amine"}, {"answer": "none"}],
    "omebench": [
        {"answer": _MECHANISM, "mechanism": _STEPS},
        {"answer": _MECHANISM, "mechanism": _STEPS},
    ],
    "openfindata": [
        {"answer": "A", "subtask": "financial_facts"},
        {"answer": "甲、乙", "subtask": "entity_recognition"},
    ],
    "sst2": [{"answer": "positive"}, {"answer": "negative"}],
    "tomg_bench": [
        _tomg(
            "AtomNum",
            "CCO",
            constraints=dict.fromkeys(tomg_bench.ATOMIC_NUMBERS, 0) | {"carbon": 2, "oxygen": 1},
        ),
        _tomg("AddComponent", '{"molecule": "NCCO"}', molecule="CCO", added_group="amine"),
        _tomg("QED", "CCO", molecule="CC(C)CCCCCCCCCCCCCCCC"),
    ],
}
ROWS = {
    task: [{"id": f"{task}-{at}", **row} for at, row in enumerate(rows)]
    for task, rows in _RAW.items()
}
