"""The base of mini: small, knows the words, answers nothing; and its maker's parts."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from rdkit import Chem

import ft_bench.tasks.mini
from ft_bench.tasks.mini.make_base import blocks, profile, tokenizer
from ft_bench.tasks.mini.molecules import GROUPS, molecules

FOLDER = Path(ft_bench.tasks.mini.__file__).parent / "base"


def test_the_shipped_base_is_a_small_qwen3() -> None:
    config = json.loads((FOLDER / "config.json").read_text())
    assert config["model_type"] == "qwen3"
    assert (FOLDER / "model.safetensors").stat().st_size < 700_000


def test_a_name_and_a_separator_are_one_token_each() -> None:
    coded = tokenizer()
    for name in (*GROUPS, "none"):
        assert len(coded.encode(name)) == 1
    answer = "benzene ring; hydroxyl; ether"
    assert len(coded.encode(answer)) == 5
    assert coded.decode(coded.encode(answer)) == answer


def test_any_text_survives_the_tokenizer() -> None:
    coded = tokenizer()
    for text in ("CC(=O)Oc1ccccc1", "Hydroxyl,Amine", "é ∞ \n tabs"):
        assert coded.decode(coded.encode(text)) == text


def test_the_shipped_tokenizer_is_the_one_that_the_script_makes() -> None:
    from transformers import AutoTokenizer

    shipped = AutoTokenizer.from_pretrained(FOLDER)
    made = tokenizer()
    assert shipped.get_vocab() == made.get_vocab()
    assert shipped.chat_template == made.chat_template


@pytest.mark.parametrize(
    ("smiles", "text"),
    [
        ("CCO", "N0O1S0X0P1B0R0"),
        ("NCC(=O)O", "N1O2S0X0P3B1R0"),
        ("Clc1ccccc1S", "N0O0S1X1P1B0R1"),
    ],
)
def test_the_profile_counts_atoms_and_names_no_group(smiles: str, text: str) -> None:
    assert profile(Chem.MolFromSmiles(smiles)) == text


def test_what_the_base_reads_never_pairs_a_molecule_with_a_group() -> None:
    coded = tokenizer()
    block = next(blocks(coded, Random(1), 200))
    lines = [coded.decode(line) for line in block]
    asked = [line for line in lines if "<|assistant|>" in line]
    assert len(asked) > 20
    assert not any(name in line for line in asked for name in (*GROUPS, "none"))
    assert any(line.startswith(tuple(GROUPS)) for line in lines)


def test_blocks_are_the_same_each_time() -> None:
    first, second = (islice(blocks(tokenizer(), Random(1), 100), 2) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_the_base_says_profiles_and_no_groups() -> None:
    from ft_bench.backends.generate.transformers_engine import generate
    from ft_bench.job import EvaluateJob, ModelRef
    from ft_bench_scorers.mini import find_groups

    model = ModelRef(base=str(FOLDER))
    prompts = [smiles for smiles, _ in islice(molecules(Random(9), (4, 14)), 40)]
    job = EvaluateJob(
        model=model,
        rows="",
        split="validation",
        scorer="mini",
        parser="strict",
        max_new_tokens=16,
        out="",
    )
    outputs, _ = generate(model, prompts, job)
    assert not any(find_groups(output, "strict")[0] for output in outputs)
    assert sum(output.startswith("N") for output in outputs) == 40
