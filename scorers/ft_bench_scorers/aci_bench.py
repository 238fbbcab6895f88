"""ACI-Bench: clinical notes from dialogues, mean Rouge-1 F over rows.

There is nothing to parse: the output is the note. Upstream computes `rouge_score`'s rouge1 without
a stemmer and takes the plain mean of the F-measures.
"""

from __future__ import annotations

from ft_bench.protocols import ItemScore, Row
from ft_bench_scorers.means import MeanScorer
from ft_bench_scorers.rouge import rouge1, rouge_l, tokens

__all__ = ["SCORER", "score_note"]


def score_note(row: Row, text: str, parser: str) -> ItemScore:
    """Rouge-1 F of the note; its precision and recall, and Rouge-L F, beside it."""
    written, wanted = tokens(text), tokens(str(row["answer"]))
    unigrams = rouge1(written, wanted)
    parts = {
        "rouge1_precision": unigrams.precision,
        "rouge1_recall": unigrams.recall,
        "rougeL": rouge_l(written, wanted).f,
    }
    return ItemScore(str(row["id"]), unigrams.f, bool(written), len(written), parts)


SCORER = MeanScorer(
    name="rouge1",
    version="1",
    score=score_note,
    parts=("rouge1_precision", "rouge1_recall", "rougeL"),
)
