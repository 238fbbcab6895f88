"""Outputs: rows and answers for the measurements, made from a seed; no two answers are equal.

Answers that repeat would be found in caches, so each one here holds a word and a number of its own.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

__all__ = [
    "LAW_SUBTASKS",
    "Pairs",
    "distinct",
    "gta",
    "hallmarks",
    "law",
    "mechanisms",
    "notes",
    "plain",
    "tomg",
]

Pairs = list[tuple[dict[str, Any], str]]
"""A row and the output that answers it."""

SEED = 7
WORDS = [
    f"{stem}{end}"
    for stem in ["pain", "heart", "lung", "blood", "left", "right", "no", "mild", "acute"]
    for end in ("", "s", "ed")
]
LETTERS = "ABCD"
MOLECULES = ["CCO", "c1ccccc1O", "CC(=O)Nc1ccc(O)cc1", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "C1CC("]

_Fill = Callable[[random.Random], str]


def _letter(rng: random.Random) -> str:
    return rng.choice(LETTERS)


def _order(rng: random.Random) -> str:
    return ", ".join(rng.sample(LETTERS, 4))


def distinct(templates: Sequence[str], count: int, answer: _Fill = _letter) -> list[str]:
    """`count` texts, all different: a template each, with `{a}` an answer and `{w}` a new word."""
    rng = random.Random(SEED)
    return [
        rng.choice(templates).format(a=answer(rng), w=f"{rng.choice(WORDS)}{at}x")
        for at in range(count)
    ]


def _rows(outputs: Sequence[str], answers: Sequence[str], **fields: Any) -> Pairs:
    return [
        ({"id": f"row-{at}", "answer": answer, **fields}, output)
        for at, (output, answer) in enumerate(zip(outputs, answers, strict=True))
    ]


_TEMPLATES: dict[str, tuple[str, ...]] = {
    "sst2": ("{w}: {a}", "The answer is {a}, says {w}.", "unclear {w}"),
    "cs_bench": ("({a}) by far, {w}", "I think it is {a}, by {w}.", "none of these {w}"),
    "econlogicqa": ("The order is {a} by {w}.", "{a} {w}", "no idea {w}"),
    "openfindata": (
        "根据{w}，该股今日放量上涨，成交额创下年内新高，市场情绪明显偏向乐观，因此答案是{a}。",
        "{a}，{w}",
        "不知道{w}",
    ),
}
_FILLS: dict[str, _Fill] = {
    "sst2": lambda rng: rng.choice(("positive", "negative")),
    "econlogicqa": _order,
}
_FIELDS: dict[str, dict[str, str]] = {
    "cs_bench": {
        "format": "Multiple-choice",
        "tag": "Knowledge",
        "domain": "Computer Network",
    },
    "openfindata": {"subtask": "financial_facts"},
}


def plain(task: str, count: int = 20_000) -> Pairs:
    """Rows and outputs of a task whose answer is one word, letter or order."""
    fill = _FILLS.get(task, _letter)
    rng = random.Random(SEED + 1)
    answers = [fill(rng) for _ in range(count)]
    return _rows(distinct(_TEMPLATES[task], count, fill), answers, **_FIELDS.get(task, {}))


def hallmarks(labels: Sequence[str], count: int = 20_000) -> Pairs:
    """HoC: three labels, and those of the next document as the gold ones."""
    fill: _Fill = lambda rng: ";".join(rng.sample(labels, 3))  # noqa: E731
    rng = random.Random(SEED + 1)
    return _rows(distinct(("{a};{w}",), count, fill), [fill(rng) for _ in range(count)])


_LAW: dict[str, tuple[_Fill, tuple[str, ...], _Fill]] = {
    "1-2": (
        lambda rng: f"正确答案：{_letter(rng)}。",
        ("[正确答案]{a}<eoa>{w}", "选{a}，{w}", "不知道{w}"),
        _letter,
    ),
    "2-5": (
        lambda rng: f"回答:{rng.randint(2, 90)}万元借款,律师费4000元",
        ("{a}万元{w}", "{w}借款，律师费{a}元", "无{w}"),
        lambda rng: str(rng.randint(2, 90)),
    ),
    "2-6": (
        lambda rng: f"时间:今天;地点:某地{rng.randint(2, 90)}村",
        ("时间:今天\n地点:某地{a}{w}", "地点：某地{a}村{w}", "无{w}"),
        lambda rng: str(rng.randint(2, 90)),
    ),
    "3-1": (
        lambda rng: f"法条:刑法第{rng.randint(200, 300)}条",
        ("刑法第{a}条、第二十五条{w}", "第二百{a}条{w}", "无{w}"),
        lambda rng: str(rng.randint(200, 300)),
    ),
    "3-2": (
        lambda rng: "根据《合同法》第十条，当事人订立合同，有书面形式。" * rng.randint(3, 5),
        ("{w}当事人订立合同，应当有书面形式。" * 6,),
        _letter,
    ),
    "3-4": (
        lambda rng: f"刑期:{rng.randint(3, 60)}个月",
        ("判处有期徒刑四个月{w}", "[刑期]{a}月<eoa>{w}", "无{w}"),
        lambda rng: str(rng.randint(3, 60)),
    ),
}
LAW_SUBTASKS = tuple(_LAW)


def law(subtask: str) -> Pairs:
    """LawBench, one sub-task."""
    gold, templates, fill = _LAW[subtask]
    count = 300 if subtask == "3-2" else 5_000
    rng = random.Random(SEED + 1)
    return [
        ({"id": f"{subtask}-{at}", "subtask": subtask, "reference": gold(rng)}, output)
        for at, output in enumerate(distinct(templates, count, fill))
    ]


def gta(count: int = 5_000) -> Pairs:
    """GTA: last steps; a hundred different references, as the data set has."""
    fill: _Fill = lambda rng: str(rng.randint(10, 109))  # noqa: E731
    templates = ("Final Answer:It is {a} days, {w}.", "Final Answer:{a} {w}", "no idea {w}")
    outputs = distinct(templates, count, fill)
    rows = []
    for at in range(count):
        number = str(10 + at % 100)
        names = {"whitelist": [[number, f"{number}.0", f"about {number}"]], "blacklist": None}
        row = {"id": f"{at}-1", "gold": {"content": number}, "reference": names, "counts": 1}
        rows.append(row | {"tools": [], "files": []})
    return list(zip(rows, outputs, strict=True))


def mechanisms(count: int = 300) -> Pairs:
    """oMeBench: mechanisms of four steps, of which the first is drawn anew."""
    rng = random.Random(SEED)
    kinds = ("dissociation", "coordination")
    made = ("CCO", "CC=O", "c1ccccc1O", "CC(C)(C)O", "C1CC(")
    draw = lambda: (rng.choice(kinds), rng.choice(made) + "C" * rng.randint(0, 9))  # noqa: E731
    pairs = []
    for at in range(count):
        gold = [draw() for _ in range(4)]
        steps = [
            {"subtype": kind, "intermediate_smiles": smiles, "step_weight": 0.25}
            for kind, smiles in gold
        ]
        found = [
            {"subtype": kind, "intermediate_smiles": smiles, "note": at}
            for kind, smiles in (draw(), *gold[1:])
        ]
        pairs.append(({"id": str(at), "mechanism": steps}, json.dumps(found)))
    return pairs


def notes(count: int, words: int) -> list[tuple[str, str]]:
    """Two texts of `words` words each, `count` times."""
    rng = random.Random(SEED)
    make = lambda: " ".join(rng.choice(WORDS) for _ in range(words))  # noqa: E731
    return [(make(), make()) for _ in range(count)]


def tomg(count: int) -> Pairs:
    """TOMG-Bench: an added group, LogP and QED in turn."""
    rng = random.Random(SEED)
    groups = ("hydroxyl", "amine", "halo", "amide")
    pairs = []
    for at in range(count):
        source = rng.choice(MOLECULES[:4])
        tail = "C" * rng.randint(1, 12)
        row: dict[str, Any] = {"id": str(at), "molecule": source, "instruction": "a lower value"}
        kind = ("AddComponent", "LogP", "QED")[at % 3]
        row |= {"subtask": kind, "added_group": rng.choice(groups)}
        answer = {"molecule": rng.choice(MOLECULES) + tail, "note": at}
        pairs.append((row, json.dumps(answer)))
    return pairs
