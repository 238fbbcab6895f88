"""Molecules: they are valid and varied, and the labels are chemistry's."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from random import Random

import pytest
from rdkit import Chem

from ft_bench.tasks.mini.molecules import (
    GROUPS,
    canonical,
    groups_of,
    grow,
    molecules,
    respelt,
)


@pytest.mark.parametrize(
    ("smiles", "groups"),
    [
        ("CCO", ("hydroxyl",)),
        ("CC(=O)O", ("hydroxyl", "carbonyl")),
        ("CC(=O)OC", ("carbonyl",)),
        ("COC", ("ether",)),
        ("Oc1ccccc1", ("benzene ring", "hydroxyl")),
        ("CCN", ("amine",)),
        ("CC(=O)NC", ("carbonyl",)),
        ("NCC(=O)NC", ("amine", "carbonyl")),
        ("CS", ("thiol",)),
        ("CSC", ()),
        ("ClCBr", ("halogen",)),
        ("C1CCCCC1", ()),
    ],
)
def test_groups_of_known_molecules(smiles: str, groups: tuple[str, ...]) -> None:
    assert groups_of(Chem.MolFromSmiles(smiles)) == groups


def test_grown_molecules_are_valid_small_and_distinct() -> None:
    drawn = list(islice(molecules(Random(1), (4, 14)), 500))
    assert len({smiles for smiles, _ in drawn}) == 500
    assert all(4 <= molecule.GetNumHeavyAtoms() <= 14 for _, molecule in drawn)
    assert all(canonical(smiles) == smiles for smiles, _ in drawn)


def test_what_grows_is_nearly_always_a_molecule() -> None:
    rng = Random(2)
    texts = [grow(rng, rng.randint(4, 14)) for _ in range(300)]
    assert sum(canonical(text) is not None for text in texts) == 300


def test_every_group_is_neither_rare_nor_everywhere() -> None:
    counts = Counter(
        name for _, molecule in islice(molecules(Random(3), (4, 14)), 800)
        for name in groups_of(molecule)
    )  # fmt: skip
    assert set(counts) == set(GROUPS)
    assert all(0.1 < count / 800 < 0.6 for count in counts.values())


def test_the_same_seed_draws_the_same_molecules() -> None:
    first, second = (
        [smiles for smiles, _ in islice(molecules(Random(4), (4, 14)), 50)] for _ in range(2)
    )
    assert first == second


def test_another_spelling_is_the_same_molecule() -> None:
    rng = Random(5)
    pairs = [(text, respelt(each, rng)) for text, each in islice(molecules(rng, (6, 14)), 100)]
    assert all(canonical(other) == smiles for smiles, other in pairs)
    assert sum(other != smiles for smiles, other in pairs) > 80


def test_text_that_is_no_molecule_has_no_canonical_form() -> None:
    assert canonical("C1CC") is None
    assert canonical("not a molecule") is None
