"""Preparation of TOMG-Bench and oMeBench: exchanged instructions, missing files, step weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ft_bench.tasks.omebench.prepare import prepare as prepare_ome
from ft_bench.tasks.omebench.weights import gold_weights, step_weights
from ft_bench.tasks.tomg_bench.prepare import SUBTASKS
from ft_bench.tasks.tomg_bench.prepare import prepare as prepare_tomg
from ft_bench.tasks.tomg_bench.repair import repaired


@pytest.mark.parametrize(
    ("instruction", "mended"),
    [
        ("Remove a CCO from the molecule halo.", "Remove a halo from the molecule CCO."),
        (
            "Modify the molecule amine by removing a CC(N)C.",
            "Modify the molecule CC(N)C by removing a amine.",
        ),
        (
            "Substitute a CCCl in the molecule halo with a hydroxyl.",
            "Substitute a halo in the molecule CCCl with a hydroxyl.",
        ),
        (
            "Please remove a CC from the molecule benzene ring.",
            "Please remove a benzene ring from the molecule CC.",
        ),
    ],
)
def test_exchanged_instructions_are_put_right(instruction: str, mended: str) -> None:
    assert repaired(instruction) == mended
    assert repaired(mended) is None


def test_as_many_instructions_are_put_right_as_were_counted(
    published: Callable[[str], Any],
) -> None:
    _, data = published("tomg_bench")
    counts = {
        subtask: sum(row["repaired"] and row["subtask"] == subtask for row in data.train)
        for subtask in SUBTASKS
    }
    assert (counts["DelComponent"], counts["SubComponent"]) == (902, 874)
    assert sum(counts.values()) == 902 + 874


def test_the_large_training_file_is_used_where_it_is_there(hand_made: Any) -> None:
    files = {
        f"benchmarks/open_generation/{folder}/{subtask}/test.csv": "index,Instruction,molecule\n"
        for subtask, folder in SUBTASKS.items()
    }
    line = "SubTask,Instruction,molecule\nLogP,Modify the molecule CC to have a lower LogP.,CO\n"
    small = prepare_tomg(hand_made({**files, "OpenMolIns/small/train.csv": line}))
    assert small.notes[0].startswith("Missing: OpenMolIns-large")
    large = prepare_tomg(hand_made({**files, "OpenMolIns/large/train.csv": line}))
    assert not any(note.startswith("Missing") for note in large.notes)
    assert json.loads(large.train[0]["answer"]) == {"molecule": "CO"}


def test_functional_groups_have_one_name_in_both_copies(hand_made: Any) -> None:
    files = {
        f"benchmarks/open_generation/{folder}/{subtask}/test.csv": "index,Instruction,molecule\n"
        for subtask, folder in SUBTASKS.items()
    }
    files["OpenMolIns/small/train.csv"] = "SubTask,Instruction,molecule\n"
    name = "benchmarks/open_generation/MolCustom/FunctionalGroup/test.csv"
    for column in ("benzene rings", "benzene_ring"):
        data = prepare_tomg(
            hand_made({**files, name: f"Instruction,{column},amine\nMake it.,2,0\n"})
        )
        assert data.test[0]["constraints"] == {"benzene_ring": 2, "amine": 0}


STEPS = [
    {"step": 1, "type": "a", "subtype": "dissociation", "intermediate_smiles": "C"},
    {"step": 2, "type": "a", "subtype": "coordination", "intermediate_smiles": "CC"},
]
GOLD = {
    "reaction_id": "NR-1",
    "reactants_smiles": "C",
    "products_smiles": ["CC"],
    "mechanism": [{**step, "step_weight": 0.5} for step in STEPS],
}


def silver(name: str, steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {**GOLD, "reaction_id": name, "mechanism": steps}


def test_silver_takes_the_weights_of_its_gold_reaction() -> None:
    known = gold_weights([GOLD])
    kinds = ("dissociation", "coordination")
    assert step_weights("NR-1_1-CC", kinds, known) == [0.5, 0.5]
    estimated = step_weights("NR-2_1-CC", kinds, known)
    assert sum(estimated) == pytest.approx(1.0)
    assert estimated[0] == pytest.approx(0.85 / (0.85 + 1.34 * 0.8))


def test_ome_rows_and_irregular_records(hand_made: Any) -> None:
    lines = [
        silver("NR-1_1-C", STEPS),
        silver("NR-1_1-C", STEPS),
        silver(
            "NR-3_1-C", [{key: step[key] for key in step if key != "subtype"} for step in STEPS]
        ),
    ]
    text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    data = prepare_ome(
        hand_made({"oMe_Gold.json": json.dumps([GOLD]), "oMe_Silver.sample.jsonl": text})
    )
    assert data.notes[0].startswith("Missing: oMe_Silver.jsonl; 2 of")
    assert [row["id"] for row in data.train] == ["NR-1_1-C"]
    assert 'Reactants (SMILES): ["C"]' in data.test[0]["prompt"]
    assert "Conditions: not given" in data.test[0]["prompt"]
    assert any("1 test reactions have variants" in note for note in data.notes)
