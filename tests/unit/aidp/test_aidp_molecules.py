"""Molecules: validity, other spellings, canonical forms over processes."""

from __future__ import annotations

import pytest
from datasets import Dataset

import aidp
from aidp import AidpError

pytest.importorskip("rdkit")
from aidp.smiles import canonical_forms


def molecules(*texts: str | None) -> Dataset:
    return Dataset.from_dict({"smiles": list(texts), "n": list(range(len(texts)))})


def test_only_molecules_stay():
    rows = molecules("CCO", "c1ccccc1", "C(", "", " ", None, "CCO ethanol", "not one")
    outcome = aidp.filter_valid_smiles(rows, report=True)
    assert outcome.dataset["n"][:] == [0, 1]
    assert outcome.account.reasons == {"no molecule": 6}


def test_augmented_rows_are_other_spellings_of_the_same_molecule():
    rows = Dataset.from_dict(
        {"smiles": ["CC(=O)Oc1ccccc1C(=O)O", "C"], "prompt": ["use CC(=O)Oc1ccccc1C(=O)O", "C?"]}
    )
    outcome = aidp.augment_smiles(rows, copies=3, also=["prompt"], seed=1, report=True)
    texts = outcome.dataset["smiles"][:]
    assert len(set(texts[:4])) == 4
    assert len(set(canonical_forms(texts[:4]))) == 1
    assert outcome.dataset["prompt"][1] == f"use {texts[1]}"
    assert texts[4:] == ["C"]
    assert outcome.account.rows_added == 3
    again = aidp.augment_smiles(rows, copies=3, also=["prompt"], seed=1)
    assert again["smiles"][:] == texts
    assert aidp.augment_smiles(rows, copies=3, seed=2)["smiles"][:] != texts


def test_the_spellings_of_a_molecule_do_not_depend_on_its_place():
    one = aidp.augment_smiles(molecules("CCOC(=O)N"), copies=2)["smiles"][:]
    two = aidp.augment_smiles(molecules("CCN", "CCOC(=O)N"), copies=2)["smiles"][:]
    assert two[-3:] == one


def test_augmenting_what_is_no_molecule_names_the_row():
    with pytest.raises(AidpError, match="filter_valid_smiles") as caught:
        aidp.augment_smiles(molecules("CC", "C("))
    assert (caught.value.column, caught.value.row) == ("smiles", 1)
    with pytest.raises(AidpError, match="copies is 0"):
        aidp.augment_smiles(molecules("CC"), copies=0)


def test_two_processes_give_what_one_gives():
    texts = [f"{'C' * (i % 40 + 1)}O{'N' * (i % 3)}" for i in range(4_200)]
    assert canonical_forms(texts, num_proc=2) == canonical_forms(texts)
