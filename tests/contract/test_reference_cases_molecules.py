"""Reference cases of the molecule tasks: TOMG-Bench and oMeBench."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from reference import TOLERANCE, Case, read_cases, report


def tomg_row(case: Case) -> Case:
    sample = case["sample"]
    row: Case = {
        "id": case["case_id"],
        "subtask": case["subtask"],
        "instruction": sample["Instruction"],
        "answer": "",
    }
    for name in ("molecule", "added_group", "removed_group"):
        if name in sample:
            row[name] = sample[name]
    row["constraints"] = {
        name.replace("benzene rings", "benzene_ring"): sample[name]
        for name in sample
        if isinstance(sample[name], int)
    }
    return row


def official_of(case: Case, field: str) -> Case:
    from rdkit import rdBase

    if not case["rdkit_sensitive"]:
        return dict(case[field])
    major, minor, *_ = rdBase.rdkitVersion.split(".")
    near = {
        ".".join(version.split(".")[:2]): values for version, values in case["by_rdkit"].items()
    }
    return dict(near.get(f"{major}.{minor}", case)[field])


def tomg_mismatches(parser: str, field: str) -> Iterator[str]:
    from ft_bench_scorers.tomg_bench import SCORER, extract_smiles

    for case in read_cases("tomg_bench"):
        if parser != "verbatim" and "think>" in case["output"]:
            continue
        official = official_of(case, field)
        (item,) = SCORER.score_items([tomg_row(case)], [case["output"]], parser=parser)
        extracted = official.get("extracted", case["output"])
        found = "None" if (made := extract_smiles(case["output"], parser)) is None else made
        if isinstance(extracted, str) and found != extracted:
            yield f"{case['case_id']}: {found!r} for {extracted!r}"
        ours = {**item.components, "success": item.components["accuracy"]}
        for name in ("validity", "success", "similarity"):
            if official.get(name) is None:
                continue
            if name in ours and abs(ours[name] - official[name]) <= TOLERANCE:
                continue
            yield f"{case['case_id']} {case['tag']} {name}: {ours.get(name)} for {official[name]}"


@pytest.mark.parametrize(
    ("parser", "field"),
    [("verbatim", "official"), ("direct", "official_direct"), ("s2", "official_s2")],
)
def test_tomg_bench(parser: str, field: str) -> None:
    report(tomg_mismatches(parser, field))


def ome_mismatches(parser: str, field: str) -> Iterator[str]:
    from ft_bench_scorers.omebench import SCORER, read_answer, read_steps

    names = {"V": "V", "L": "LFS", "S_total": "S_total", "S_partial": "S_partial"}
    for case in read_cases("omebench"):
        if parser != "verbatim" and "think>" in case["output"]:
            continue
        rows = [{"id": case["case_id"], **case["sample"]}]
        (item,) = SCORER.score_items(rows, [case["output"]], parser=parser)
        official = official_of(case, field)
        for theirs, ours in names.items():
            if abs(item.components[ours] - official[theirs]) > TOLERANCE:
                values = f"{item.components[ours]} for {official[theirs]}"
                yield f"{case['case_id']} {case['tag']} {ours}: {values}"
        alignment = official.get("alignment") or None
        if official["evaluated"] and (item.prediction or None) != alignment:
            yield f"{case['case_id']} {case['tag']}: {item.prediction} for {alignment}"
        answer = read_answer(case["output"], parser)
        if type(answer).__name__ != official["parsed_kind"]:
            yield f"{case['case_id']} {case['tag']}: {type(answer)} for {official['parsed_kind']}"
        if (read_steps(answer) is not None) != official["evaluated"]:
            yield f"{case['case_id']} {case['tag']}: evaluated {official['evaluated']}"


@pytest.mark.parametrize(
    ("parser", "field"),
    [("strict", "official"), ("verbatim", "official"), ("base_model", "official_base_model")],
)
def test_omebench(parser: str, field: str) -> None:
    report(ome_mismatches(parser, field))
