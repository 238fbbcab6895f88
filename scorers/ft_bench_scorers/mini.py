"""Mini: functional groups of small molecules, seven labels per SMILES, Macro-F1.

An answer is the groups' names joined by "; " on the first line, or "none". The strict parser wants
the exact lower-case names there; the lenient one ignores case and takes commas and any line.
"""

from __future__ import annotations

import re

from ft_bench.protocols import Row
from ft_bench_scorers.multilabel import Labels, MultilabelScorer

__all__ = ["LABELS", "NONE", "SCORER", "find_groups", "gold_groups"]

LABELS = ("benzene ring", "hydroxyl", "amine", "thiol", "halogen", "ether", "carbonyl")
NONE = "none"

_SEPARATORS = re.compile(r"[;,\n]")


def gold_groups(row: Row) -> frozenset[str]:
    """The groups named in a row's `answer`; empty for "none"."""
    return frozenset(find_groups(str(row["answer"]), "strict")[0])


def find_groups(text: str, parser: str) -> Labels:
    """The groups named in `text`; valid where a known name, or "none" alone, is there."""
    if parser == "lenient":
        names = [name.strip(" .*`\"'").lower() for name in _SEPARATORS.split(text)]
    else:
        names = [name.strip() for name in text.strip().partition("\n")[0].split(";")]
    found = [label for label in LABELS if label in names]
    return found, bool(found) or [name for name in names if name] == [NONE]


SCORER = MultilabelScorer(
    name="macro_f1", version="2", labels=LABELS, gold=gold_groups, parse=find_groups
)
