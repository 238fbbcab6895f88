"""HoC: Hallmarks of Cancer, ten labels per abstract, document-level Macro-F1.

The strict parser is the published one (Me-LLaMA's `HoC`): a label is predicted where its name
occurs as a case-sensitive substring of the output. The lenient parser ignores case and lets any
run of blanks, hyphens or underscores stand between the words of a name.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ft_bench.protocols import Row
from ft_bench_scorers.multilabel import Labels, MultilabelScorer

__all__ = ["LABELS", "SCORER", "find_labels", "gold_labels"]

LABELS = (
    "sustaining proliferative signaling",
    "evading growth suppressors",
    "resisting cell death",
    "enabling replicative immortality",
    "inducing angiogenesis",
    "activating invasion and metastasis",
    "genomic instability and mutation",
    "tumor promoting inflammation",
    "cellular energetics",
    "avoiding immune destruction",
)

_GAP = re.compile(r"[\s_\-]+")


@lru_cache(maxsize=4096)
def _labels_of(answer: str) -> frozenset[str]:
    return frozenset(answer.split(";"))


def gold_labels(row: Row) -> frozenset[str]:
    """The labels of a row's `answer`, which joins them by ";" as upstream's files do."""
    return _labels_of(row["answer"])


def find_labels(text: str, parser: str) -> Labels:
    """The labels named in `text`, and whether there is any."""
    if parser == "lenient":
        text = _GAP.sub(" ", text.lower())
    found = [label for label in LABELS if label in text]
    return found, bool(found)


SCORER = MultilabelScorer(
    name="macro_f1", version="1", labels=LABELS, gold=gold_labels, parse=find_labels
)
