"""Reference cases of LawBench: batches of one sub-task each."""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from reference import SHARED, TOLERANCE, Case, read_cases, report


@cache
def lexicon() -> tuple[str, dict[str, set[str]]]:
    from ft_bench.tasks.lawbench.lexicon import pack_classes, parse_cilin, parse_confusions

    folder = SHARED / "data" / "lawbench" / "eval_assets"
    if not folder.is_dir():
        pytest.skip("needs LawBench's eval_assets; set FT_BENCH_SHARED")
    cilin = gzip.decompress((folder / "cilin.txt.gz").read_bytes())
    confusions = gzip.decompress((folder / "confusion_dict.txt.gz").read_bytes())
    return pack_classes(parse_cilin(cilin)), parse_confusions(confusions.decode("utf-8"))


def row_of(case: Case, sample: Case) -> Case:
    from ft_bench.tasks.lawbench.lexicon import pack

    row: Case = {
        "id": f"{case['subtask']}-{sample['index']}",
        "subtask": case["subtask"],
        "reference": sample["answer"],
    }
    if case["subtask"] == "2-1":
        classes, confusions = lexicon()
        row["question"] = sample["question"]
        row["classes"], row["confusions"] = classes, pack(sample["question"], confusions)
    return row


def mismatches(cases: list[Case]) -> Iterator[str]:
    from ft_bench_scorers.lawbench import SCORER

    for case in cases:
        thinks = any("think>" in output for output in case["outputs"])
        parser = "verbatim" if thinks else "strict"
        name, official = f"{case['subtask']} {case['batch']}", case["official"]
        rows = [row_of(case, sample) for sample in case["samples"]]
        items = SCORER.score_items(rows, case["outputs"], parser=parser)
        sums = SCORER.statistics(rows, items).sum(axis=0)
        ours = float(SCORER.value(np.asarray(sums)))
        if abs(ours - official["score"]) > TOLERANCE:
            yield f"{name}: {ours} for {official['score']}"
        rate = SCORER.components(sums).get(f"{case['subtask']}/abstention_rate", 0.0)
        wanted = official["raw"].get("anstention_rate", official["abstention_rate"])
        if abs(rate - wanted) > TOLERANCE:
            yield f"{name}: abstention {rate} for {wanted}"
        for item, value in zip(items, official.get("per_sample_score") or [], strict=False):
            if value is not None and abs(item.value - value) > TOLERANCE:
                yield f"{name} {item.id}: {item.value} for {value}"
        for edit, count in (("right", "tp"), ("wrong", "fp"), ("missed", "fn")):
            total = sum(item.components.get(edit, 0.0) for item in items)
            if count in official and total != official[count]:
                yield f"{name}: {count} {total} for {official[count]}"


def usable() -> list[Case]:
    cases = read_cases("lawbench")
    if importlib.util.find_spec("opencc") is None:
        cases = [case for case in cases if case["batch"] != "gold_traditional"]
    return cases


def test_lawbench() -> None:
    report(mismatches(usable()))


@pytest.mark.skipif(
    importlib.util.find_spec("opencc") is None, reason="needs opencc for traditional characters"
)
def test_lawbench_traditional_characters() -> None:
    cases = [case for case in read_cases("lawbench") if case["batch"] == "gold_traditional"]
    report(mismatches(cases))
