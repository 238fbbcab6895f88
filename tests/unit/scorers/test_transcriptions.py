"""Scorers against direct transcriptions of their rules, on texts made of what the rules look at."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ft_bench_scorers import cs_bench, econlogicqa, hoc, omebench, openfindata, rouge, sst2
from ft_bench_scorers.gta_react import parse_step
from ft_bench_scorers.lawbench import numerals, segments, spans
from ft_bench_scorers.lawbench.labels import labels_of
from ft_bench_scorers.lawbench.outcome import char_f1
from ft_bench_scorers.tomg_bench import extract_smiles


@pytest.fixture(scope="module")
def rule() -> Iterator[Any]:
    folder = str(Path(__file__).resolve().parents[3] / "benchmarks")
    sys.path.insert(0, folder)
    import transcriptions

    yield transcriptions
    sys.path.remove(folder)


def texts(*pieces: str, size: int = 10) -> st.SearchStrategy[str]:
    """Texts of the pieces, white space, and characters of every script between them."""
    common = (" ", "  ", "\n", "\t", "\r", "\u00a0", "\u3000", "\u2028", "\x1c", "", ".", ",", "_")
    piece = st.one_of(st.sampled_from((*pieces, *common)), st.text(max_size=2))
    return st.lists(piece, max_size=size).map("".join)


MANY = settings(max_examples=300)


@MANY
@given(text=texts("A", "b", "a", "D", "ſ", "é", "(C)", "True", "false", "FALSE", "TRUE", "İ", "1"))
def test_cs_bench(rule: Any, text: str) -> None:
    assert cs_bench.find_answer(text, "Multiple-choice") == rule.choice(text)
    assert cs_bench.find_answer(text, "Assertion") == rule.assertion(text)


@MANY
@given(text=texts("A, ", "B, ", "C, ", "D, ", "A", "B", "C", "D", ",", ", "))
def test_econlogicqa(rule: Any, text: str) -> None:
    assert econlogicqa.find_order(text, "strict") == rule.author_order(text)


@MANY
@given(text=texts("A", "ａ", "Ａ", "Ⅳ", "ⅳ", "Ω", "ǅ", "ß", "答案"))
def test_openfindata(rule: Any, text: str) -> None:
    assert openfindata.last_capital(text) == rule.last_capital(text)


@MANY
@given(text=texts("positive", "Negative", "NEGATIVE", "0", "1", "0.5", "１", "²", "ſ", "K", "-"))
def test_sst2(rule: Any, text: str) -> None:
    assert sst2.find_sentiment(text, "strict") == rule.sentiment(text)


@given(outputs=st.lists(texts(*hoc.LABELS, ";", "Inducing Angiogenesis"), min_size=1, max_size=6))
def test_hoc(rule: Any, outputs: list[str]) -> None:
    golds = [";".join(hoc.LABELS[at % 10 : at % 10 + 3]) for at in range(len(outputs))]
    rows = [{"id": str(at), "answer": gold} for at, gold in enumerate(golds)]
    items = hoc.SCORER.score_items(rows, outputs)
    ours = hoc.SCORER.value(hoc.SCORER.statistics(rows, items).sum(axis=0))
    assert float(ours) == pytest.approx(rule.macro_f1(hoc.LABELS, golds, outputs), abs=1e-12)


TOMG = (
    *("{", "}", '"molecule"', ":", '"', '""', "CCO", "=>", "->", "[", "]", "null", "5", "true"),
    *('{"molecule": "', '"}', "\\n", "\\u0043", "NaN", "[]", '{"molecule": ', "{}", ","),
)


@settings(max_examples=600)
@given(text=texts(*TOMG))
def test_tomg_bench_extraction(rule: Any, text: str) -> None:
    wanted = rule.smiles(text)
    found = extract_smiles(text, "verbatim")
    if isinstance(wanted, list):
        wanted = "None"  # a list is no SMILES whatever it holds
    assert (found or "None") == (wanted or "None")


REACT = ("Action:", "Action Input:", "Final Answer:", "OCR", "OCR.run", '{"k": 1}', '"', "```", "x")


@MANY
@given(text=texts(*REACT, "```json\n", "\n```", "{}"))
def test_gta_steps(rule: Any, text: str) -> None:
    name, raw = rule.react_step(text)
    tools = [{"name": "OCR", "inputs": [{"name": "k", "type": "int", "optional": True}]}]
    step = parse_step(text, tools, [])
    if name == "answer":
        assert step == {"role": "assistant", "content": raw}
        return
    function = step["tool_calls"][0]["function"]
    if name == "NoAction":
        assert function == {"name": "NoAction", "arguments": {"text": ""}}
    elif name not in ("OCR", "OCR.run"):
        wrong = {"name": "InvalidAction", "arguments": {"text": raw}}
        assert function == wrong or name.startswith("OCR.")
    else:
        assert function["name"] == "OCR"
        try:
            arguments = json.loads(rule.react_json(raw))
        except ValueError:
            arguments = None
        usable = isinstance(arguments, dict) and arguments.keys() <= {"k"}
        assert function["arguments"] == (arguments if usable else raw)


@MANY
@given(first=texts("甲", "A", "a", "１", "²", "Ⅳ", "，"), second=texts("甲", "a", "1", "ǅ", "；"))
def test_lawbench_characters(rule: Any, first: str, second: str) -> None:
    assert char_f1(first, second) == pytest.approx(rule.char_f1(first, second), abs=1e-12)


@MANY
@given(text=texts(*labels_of("2-6"), ":", "：", "无", "未提及", "某地"))
def test_lawbench_entities(rule: Any, text: str) -> None:
    assert spans.named_entities(text) == rule.entities(labels_of("2-6"), text)


NUMBERS = (
    *(
        "三",
        "十",
        "百",
        "二十",
        "两",
        "半",
        "廿",
        "万元",
        "第",
        "条",
        "款",
        "、",
        "个月",
        "月",
        "年",
    ),
    *("1", "12", "６", "0.5", "零", "点", "之", "一", "日", "负", "分之", "%", "亿", "3年6个月"),
)


@MANY
@given(text=texts(*NUMBERS))
def test_lawbench_numbers(rule: Any, text: str) -> None:
    assert numerals.months_of(text) == rule.prison_term(text)
    assert numerals.article_numbers(text) == rule.article_numbers(text)


CHINESE = ("。", "”", "！", "……", "......", "？", "?", "被告人", "合同", "法院", "，", "’")


@given(first=texts(*CHINESE, size=14), second=texts(*CHINESE, size=14))
def test_lawbench_rouge_l(rule: Any, first: str, second: str) -> None:
    second = second if second.strip() else "合同"
    wanted = rule.rouge_l_chinese(first, second)
    assert segments.rouge_l(first, second) == pytest.approx(wanted, abs=1e-12)


STRUCTURES = st.sampled_from(
    ["CCO", "OCC", "CC(C)O", "c1ccccc1O", "", " ", "C1CC", "CCO CCN", "[H]"]
)
SUBTYPES = st.sampled_from(["dissociation", "coordination", "Dissociation", None, 1, True])
STEPS = st.lists(st.tuples(SUBTYPES, STRUCTURES), max_size=6)


@settings(max_examples=150)
@given(gold=STEPS.filter(bool), found=STEPS)
def test_omebench_alignment(rule: Any, gold: list[Any], found: list[Any]) -> None:
    weights = [(at + 1) / (len(gold) * (len(gold) + 1) / 2) for at in range(len(gold))]
    mechanism = [
        {"subtype": kind, "intermediate_smiles": smiles, "step_weight": weight}
        for (kind, smiles), weight in zip(gold, weights, strict=True)
    ]
    answer = json.dumps(
        [{"subtype": kind, "intermediate_smiles": smiles} for kind, smiles in found]
    )
    (item,) = omebench.SCORER.score_items([{"id": "a", "mechanism": mechanism}], [answer])
    steps = [(*pair, weight) for pair, weight in zip(gold, weights, strict=True)]
    wanted = rule.mechanism_score(steps, [(*pair, 0.0) for pair in found])
    if not found:
        wanted = dict.fromkeys(wanted, 0.0)
    assert {name: item.components[name] for name in wanted} == wanted


@MANY
@given(first=texts("pain", "K", "İ", "ﬁ", "7.5", "a_b"), second=texts("Pain", "k", "i", "fi", "5"))
def test_rouge(first: str, second: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    theirs = RougeScorer(["rouge1", "rouge2", "rougeL"]).score(second, first)
    one, two = rouge.tokens(first), rouge.tokens(second)
    ours = (rouge.rouge1(one, two), rouge.rouge2(one, two), rouge.rouge_l(one, two))
    for name, found in zip(("rouge1", "rouge2", "rougeL"), ours, strict=True):
        wanted = theirs[name]
        got = (found.precision, found.recall, found.f)
        assert got == pytest.approx((wanted.precision, wanted.recall, wanted.fmeasure), abs=1e-12)
