"""Hostile outputs: every scorer gives a score for every text, in bounded time and memory."""

from __future__ import annotations

import json

import pytest
from rows import ROWS, SCORERS

MEGABYTE = 1_000_000
HOSTILE = {
    "megabyte of one letter": "A" * MEGABYTE,
    "megabyte of words": "positive A true " * (MEGABYTE // 16),
    "megabyte of blanks": " " * MEGABYTE,
    "megabyte of new lines": "\n" * MEGABYTE,
    "megabyte of digits": "1" * MEGABYTE,
    "megabyte of braces": "{" * MEGABYTE,
    "megabyte of brackets": "[" * MEGABYTE,
    "megabyte of Chinese": "第一百条、" * (MEGABYTE // 5),
    "megabyte of tags": "<think>" * (MEGABYTE // 7),
    "megabyte of markers": "Action:Action Input:" * (MEGABYTE // 20),
    "megabyte of lines with markers": "Action:x\n" * (MEGABYTE // 9),
    "megabyte of separators": ";、," * (MEGABYTE // 3),
    "5,000 atoms": "C" * 5_000,
    "5,000 atoms as JSON": json.dumps({"molecule": "C" * 5_000}),
    "100,000 atoms": "C" * 100_000,
    "many rings": "C1CC1" * 1_100,
    "aromatic chain": "c1ccccc1" * 700,
    "branches": "C(" * 2_900,
    "deep JSON": "[" * 50_000 + "]" * 50_000,
    "deep JSON objects": '{"a":' * 20_000 + "1" + "}" * 20_000,
    "deep steps": '[{"subtype": "x", "intermediate_smiles": "C"}'
    + ',{"subtype":"x","intermediate_smiles":"C"}' * 4_000
    + "]",
    "huge number": '{"molecule": ' + "9" * 5_000 + "}",
    "NUL bytes": "\0A\0positive\0CCO",
    "lone surrogate": "\ud800A positive \udfff",
    "unicode digits": "１２３ 个月 ٣ ४月 ²",
    "combining marks": "A\u0301" * 20_000,
    "right to left": "\u202epositive\u202c A",
    "white space only": " \u3000\t\n",
    "NaN": "NaN",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("task", sorted(SCORERS))
@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_every_output_gets_a_score(task: str, name: str) -> None:
    rows = ROWS[task]
    scorer = SCORERS[task]
    items = scorer.score_items(rows, [HOSTILE[name]] * len(rows))
    assert [item.id for item in items] == [row["id"] for row in rows]
    assert all(-25.0 < item.value <= 1.0 for item in items)
    assert len(json.dumps([item.prediction for item in items])) < 3 * MEGABYTE * len(rows)


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("tomg_bench", "C" * 10_000),
        ("omebench", "x" * 300_000),
        ("lawbench", "甲" * 100_001),
    ],
)
def test_a_scorer_says_when_it_cut(task: str, text: str) -> None:
    rows = ROWS[task]
    scorer = SCORERS[task]
    items = scorer.score_items(rows, [text] * len(rows))
    assert all(item.components["cut"] == 1.0 for item in items)
    assert scorer.components(scorer.statistics(rows, items).sum(axis=0))["cut"] == 1.0


def test_a_long_explanation_behind_a_molecule_does_not_hide_it() -> None:
    row = ROWS["tomg_bench"][0]
    (item,) = SCORERS["tomg_bench"].score_items([row], ["CCO " + "because " * 10_000])
    assert (item.value, item.components["cut"]) == (1.0, 1.0)
