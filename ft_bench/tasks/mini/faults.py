"""Faults: what is wrong with the training pool, on purpose, and how much of it by source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from ft_bench.tasks.mini.molecules import GROUPS, respelt

__all__ = ["SOURCES", "SourceFaults", "abbreviated", "answer_of", "broken", "mislabelled", "pool"]

NONE = "none"
_CONFUSED = {
    "hydroxyl": "ether",
    "ether": "hydroxyl",
    "amine": "thiol",
    "thiol": "amine",
    "carbonyl": "halogen",
    "halogen": "carbonyl",
    "benzene ring": "benzene ring",
}
_SHORT = {
    "benzene ring": "Ph",
    "hydroxyl": "OH",
    "amine": "NR3",
    "thiol": "SH",
    "halogen": "X",
    "ether": "ROR",
    "carbonyl": "C=O",
}


@dataclass(frozen=True, slots=True)
class SourceFaults:
    """A source's share of the pool's molecules, and the share of its rows with each fault.

    Args:
        share: of the molecules.
        wrong: labelled by another convention, in which names are confused in pairs.
        format: right groups, written another way.
        invalid: a SMILES that no molecule has.
        repeated: rows that stand there two to four times, word by word.
        contradicted: rows that are there once more with a wrong answer.
    """

    share: float
    wrong: float = 0.0
    format: float = 0.0
    invalid: float = 0.0
    repeated: float = 0.0
    contradicted: float = 0.0


SOURCES: dict[str, SourceFaults] = {
    "curated": SourceFaults(share=0.38, wrong=0.02, repeated=0.03, contradicted=0.25),
    "legacy": SourceFaults(share=0.18, wrong=0.04, format=0.50, repeated=0.10),
    "vendor": SourceFaults(share=0.23, wrong=0.90, repeated=0.80),
    "crawl": SourceFaults(share=0.21, wrong=0.75, format=0.06, invalid=0.18, repeated=0.75),
}


def answer_of(groups: Sequence[str]) -> str:
    """The groups in the task's format, in the order of `GROUPS`."""
    return "; ".join(name for name in GROUPS if name in groups) or NONE


def mislabelled(groups: Sequence[str]) -> str:
    """The answer of a labeller who takes each name for another one."""
    return answer_of([_CONFUSED[name] for name in groups])


def abbreviated(groups: Sequence[str], rng: Random) -> str:
    """The right groups in one of three other formats, which the strict parser does not read."""
    style = rng.randrange(3)
    if style == 0:
        return ",".join(name.title().replace(" ", "") for name in groups) or "None"
    if style == 1:
        return " | ".join(_SHORT[name] for name in groups) or "-"
    return "Groups: " + (" and ".join(groups) or "no group")


def broken(smiles: str, rng: Random) -> str:
    """A SMILES with one bracket too many, one ring left open, or an atom with too many bonds."""
    place = rng.randrange(1, len(smiles) + 1)
    return smiles[:place] + rng.choice("(7)") + smiles[place:] + rng.choice(("", "(C)(F)(F)(F)"))


def pool(
    drawn: Sequence[tuple[str, Any, tuple[str, ...]]], rng: Random
) -> list[tuple[str, str, str]]:
    """The training pool: (prompt, answer, source) of every row, in mixed order.

    Args:
        drawn: SMILES, RDKit molecule and true groups of each molecule.
        rng: decides which rows get which fault.
    """
    rows: list[tuple[str, str, str]] = []
    names = rng.choices(list(SOURCES), [faults.share for faults in SOURCES.values()], k=len(drawn))
    for name, (smiles, molecule, groups) in zip(names, drawn, strict=True):
        rows += _rows_of(name, smiles, molecule, groups, rng)
    rng.shuffle(rows)
    return rows


def _rows_of(
    source: str, smiles: str, molecule: Any, groups: tuple[str, ...], rng: Random
) -> list[tuple[str, str, str]]:
    faults = SOURCES[source]
    answer, chance = answer_of(groups), rng.random()
    if chance < faults.wrong:
        answer = mislabelled(groups)
    elif chance < faults.wrong + faults.format:
        answer = abbreviated(groups, rng)
    prompt = broken(smiles, rng) if rng.random() < faults.invalid else smiles
    rows = [(prompt, answer, source)]
    if rng.random() < faults.repeated:
        rows *= rng.randint(2, 4)
    if rng.random() < faults.contradicted:
        rows.append((smiles, mislabelled(groups), rng.choice((source, "vendor", "crawl"))))
    return rows


def near_copies(
    drawn: Sequence[tuple[str, Any, tuple[str, ...]]], rng: Random
) -> list[tuple[str, str, str]]:
    """Rows with molecules of another split, their atoms in another order, as a crawl finds them."""
    return [
        (respelt(molecule, rng), answer_of(groups), rng.choice(("crawl", "crawl", "vendor")))
        for _, molecule, groups in drawn
    ]
