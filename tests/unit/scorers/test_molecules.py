"""Molecule scorers: extraction, counts, edits, alignment, on hand-made molecules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rows import ROWS

from ft_bench_scorers.mechanism import Step, Structure, align
from ft_bench_scorers.molecules import MAX_SMILES_CHARS, read_smiles
from ft_bench_scorers.omebench import ome_scorer, read_answer, read_steps
from ft_bench_scorers.tomg_bench import SCORER, extract_smiles, tomg_scorer
from ft_bench_scorers.tomg_groups import count_bond, count_group


def mol(smiles: str) -> Any:
    return read_smiles(smiles).mol


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"molecule": "CCO"}', "CCO"),
        ('Sure: {"molecule": "CC => CCO"} done', "CCO"),
        ('{"answer": "CCO"}', "CCO"),
        ('{"molecule": 5}', "5"),
        ('{"molecule": ["CCO"]}', None),
        ("{nothing}", None),
        ("CC->CCO", "CCO"),
        ("[CCO]", "CCO"),
        ("CCO\nis it", "CCO is it"),
        ("", None),
        ('{"molecule": "C', '{"molecule": "C'),
    ],
)
def test_extraction_follows_the_correction_step(text: str, found: str | None) -> None:
    assert extract_smiles(text, "strict") == found


def test_direct_takes_the_output_as_it_is() -> None:
    assert extract_smiles("[NH4+]", "direct") == "[NH4+]"


@pytest.mark.parametrize(
    ("smiles", "group", "count"),
    [
        ("c1ccccc1O", "benzene_ring", 1),
        ("CC(=O)O", "hydroxyl", 1),
        ("CSSC", "sulfide", 1),
        ("CSC", "sulfide", 1),
        ("CSSC", "disulfide", 1),
        ("CC(N)=O", "amine", 0),
        ("CC(N)=O", "amide", 1),
        ("CC#N", "nitrile", 1),
        ("FC(Cl)Br", "halo", 3),
    ],
)
def test_groups_are_counted_by_the_benchmarks_patterns(smiles: str, group: str, count: int) -> None:
    assert count_group(mol(smiles), group) == count


def test_bonds_are_counted_after_aromaticity() -> None:
    benzene = mol("c1ccccc1C=C")
    counts = [count_bond(benzene, kind) for kind in ("aromatic", "single", "double", "rotatable")]
    assert counts == [6, 1, 1, 1]


def tomg_value(row: dict[str, Any], output: str, weight: float = 0.4) -> float:
    return tomg_scorer(weight).score_items([{"id": "a", **row}], [output])[0].value


def test_validity_and_accuracy_are_weighed() -> None:
    row = {
        "subtask": "DelComponent",
        "instruction": "",
        "molecule": "NCCO",
        "removed_group": "amine",
    }
    assert tomg_value(row, "CCO") == pytest.approx(1.0)
    assert tomg_value(row, "CCCN") == pytest.approx(0.4)
    assert tomg_value(row, "CCCN", weight=0.25) == pytest.approx(0.25)
    assert tomg_value(row, "C1CC") == 0.0
    assert tomg_value(row, " ") == 0.0


def test_an_exchange_needs_both_changes() -> None:
    row = {
        "subtask": "SubComponent",
        "instruction": "",
        "molecule": "NCc1ccccc1",
        "removed_group": "benzene ring",
        "added_group": "halo",
    }
    assert tomg_value(row, "NCCl") == pytest.approx(1.0)
    assert tomg_value(row, "NCc1ccccc1Cl") == pytest.approx(0.4)


@pytest.mark.parametrize(("word", "better"), [("lower", "CCO"), ("increase", "CCCCCC")])
def test_properties_go_the_way_that_is_asked_for(word: str, better: str) -> None:
    row = {"subtask": "LogP", "instruction": f"{word} its LogP", "molecule": "CCC"}
    assert tomg_value(row, better) == pytest.approx(1.0)
    assert tomg_value(row, "CCC") == pytest.approx(0.4)


def test_bond_columns_that_are_zero_are_not_checked() -> None:
    bonds = {"single": 1, "double": 0, "triple": 0, "rotatable": 0, "aromatic": 0}
    row = {"subtask": "BondNum", "instruction": "", "constraints": bonds}
    assert tomg_value(row, "CC=C") == pytest.approx(1.0)


def test_loose_fragments_are_reported() -> None:
    (item,) = SCORER.score_items(ROWS["tomg_bench"][1:2], ["CCO.CN"])
    assert item.components["multi_fragment"] == 1.0


def test_long_smiles_are_cut_and_long_names_are_not() -> None:
    assert read_smiles("C" * (MAX_SMILES_CHARS + 1)) == (None, True)
    assert read_smiles("CC " + "x" * MAX_SMILES_CHARS).mol is not None
    assert read_smiles("C\0C").mol is None


def steps(*pairs: tuple[str, str], weight: float = 0.0) -> list[Step]:
    return [Step(kind, Structure(smiles), weight) for kind, smiles in pairs]


GOLD = steps(("a", "CCO"), ("b", "CC=O"), weight=0.5)


def test_a_perfect_mechanism_matches_every_step() -> None:
    found = align(GOLD, steps(("a", "OCC"), ("b", "O=CC")))
    assert found.actions == ("match", "match")
    assert (found.total, found.partial) == (1.0, 1.0)


def test_missing_and_needless_steps_are_skipped() -> None:
    assert align(GOLD, steps(("b", "CC=O"))).actions == ("skip_gold", "match")
    assert align(GOLD, []).actions == ("skip_gold", "skip_gold")
    needless = align(GOLD, steps(("a", "CCO"), ("c", "C"), ("b", "CC=O")))
    assert needless.actions == ("match", "skip_pred", "match")


def test_a_wrong_structure_keeps_the_match_but_not_the_weight() -> None:
    found = align(GOLD, steps(("a", "c1ccccc1"), ("b", "CC=O")))
    assert found.actions == ("match", "match")
    assert found.total == 0.5


@pytest.mark.parametrize(
    ("text", "parser", "answer"),
    [
        ("[ANSWER][1][/ANSWER] more", "strict", [1]),
        ("[ANSWER] [1]", "strict", [1]),
        ("```json\n[1]\n```", "strict", [1]),
        ("The answer is : [1]", "strict", [1]),
        ("see [1]", "strict", "see [1]"),
        ("see [1] here", "base_model", [1]),
    ],
)
def test_answers_are_read_as_upstream_reads_them(text: str, parser: str, answer: Any) -> None:
    assert read_answer(text, parser) == answer


NO_SMILES = {"subtype": "a", "intermediate_smiles": None}
NO_SUBTYPE = {"intermediate_smiles": "C"}


@pytest.mark.parametrize(
    "answer",
    ["x", 3, None, {"steps": []}, [None], [{"subtype": "a"}], [NO_SMILES], [NO_SUBTYPE]],
)
def test_one_bad_step_spoils_the_answer(answer: Any) -> None:
    assert read_steps(answer) is None


def test_a_mapping_may_hold_the_mechanism() -> None:
    found = read_steps({"mechanism": [{"subtype": "a", "intermediate_smiles": "C"}]})
    assert found is not None
    assert len(found) == 1


def test_components_are_weighed_as_given() -> None:
    row = ROWS["omebench"][0]
    output = json.dumps([{"subtype": "dissociation", "intermediate_smiles": "CC=O"}])
    (item,) = ome_scorer({"S_total": 1.0}).score_items([row], [output])
    assert item.value == 0.4
    assert item.components["LFS"] == 0.5
    assert item.components["V"] == 1.0
