"""Base maker: `python -m ft_bench.tasks.mini.make_base FOLDER` writes the base model of `mini`.

The model reads SMILES and counts atoms; it knows the groups' names as words, and has never seen one
beside a molecule. About three minutes on one core; with one thread the same versions of torch and
RDKit give the same bytes.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from ft_bench.tasks.mini.molecules import GROUPS, molecules, respelt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["blocks", "main", "profile", "tokenizer"]

_logger = logging.getLogger(__name__)

SEED = 20
MOLECULES = 30_000
HIDDEN, LAYERS = 64, 2
STEPS, LR = 1_500, 4e-3
ROWS = 64
NAMES_SHARE = 0.25


def tokenizer() -> Any:
    """Bytes, and one token for each group's name, for "none" and for what joins names."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    from ft_bench.backends.models.scratch import END, PAD, TURNS, wrap_tokenizer

    words = [PAD, END, *TURNS, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    core = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    core.add_tokens([AddedToken(name, normalized=False) for name in (*GROUPS, "none", "; ")])
    return wrap_tokenizer(core)


def profile(molecule: Any) -> str:
    """What the base is taught to say of a molecule, such as "N1O2S0X0P2B1R1".

    Counts of nitrogen, oxygen, sulphur and halogen atoms, of hydrogens on the first three, of
    double bonds and of aromatic rings.
    """
    from rdkit.Chem import BondType
    from rdkit.Chem.rdMolDescriptors import CalcNumAromaticRings

    atoms = [(atom.GetSymbol(), atom.GetTotalNumHs()) for atom in molecule.GetAtoms()]
    symbols = [symbol for symbol, _ in atoms]
    counts = {
        "N": symbols.count("N"),
        "O": symbols.count("O"),
        "S": symbols.count("S"),
        "X": sum(symbol in ("F", "Cl", "Br") for symbol in symbols),
        "P": sum(hydrogens for symbol, hydrogens in atoms if symbol in "NOS"),
        "B": sum(bond.GetBondType() == BondType.DOUBLE for bond in molecule.GetBonds()),
        "R": CalcNumAromaticRings(molecule),
    }
    return "".join(f"{name}{count}" for name, count in counts.items())


def blocks(encode: Any, rng: Random, count: int) -> Iterator[NDArray[np.int64]]:
    """Blocks of text without end, ROWS lines each; `count` molecules are drawn first.

    A line is a molecule in any atom order as the user's turn, and its profile as the answer; every
    fifth line is a list of group names by chance, so that the words are known and mean nothing.
    """
    import numpy as np

    source = molecules(rng, (3, 15))
    texts = []
    for _ in range(count):
        smiles, molecule = next(source)
        spelt = smiles if rng.random() < 0.5 else respelt(molecule, rng)
        texts.append(f"<|user|>{spelt}<|assistant|>{profile(molecule)}<|end|>")
        if rng.random() < NAMES_SHARE:
            texts.append("; ".join(name for name in GROUPS if rng.random() < 0.4) or "none")
    while True:
        lines = encode(rng.sample(texts, ROWS), padding=True, padding_side="right")["input_ids"]
        yield np.asarray(lines, dtype=np.int64)


def main(folder: Path) -> None:
    """Train the base and write model, tokenizer and chat template to `folder`."""
    import torch

    from ft_bench.backends.models.scratch import network, pretrain

    torch.set_num_threads(1)
    encode = tokenizer()
    model = network(encode, HIDDEN, LAYERS, SEED)
    loss = pretrain(model, blocks(encode, Random(SEED), MOLECULES), STEPS, LR)
    _logger.info("%d parameters, loss %.3f", model.num_parameters(), loss)
    model.save_pretrained(folder)
    encode.save_pretrained(folder)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    main(Path(sys.argv[1]))
