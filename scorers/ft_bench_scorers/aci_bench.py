"""ACI-Bench: clinical notes from dialogues, mean Rouge-1 F over rows.

There is nothing to parse: the output is the note. Upstream computes `rouge_score`'s rouge1 without
a stemmer and takes the plain mean of the F-measures. Whole notes are also cut into their divisions,
as upstream's own evaluation does; the means of those are reported beside the metric.
"""

from __future__ import annotations

from ft_bench.protocols import ItemScore, Row
from ft_bench_scorers.aci_divisions import DIVISIONS, division_scores
from ft_bench_scorers.means import MeanScorer
from ft_bench_scorers.rouge import rouge1, rouge2, rouge_l, tokens

__all__ = ["SCORER", "score_note"]


def score_note(row: Row, text: str, parser: str) -> ItemScore:
    """Rouge-1 F of the note; precision, recall, Rouge-2 and Rouge-L F, and divisions beside it."""
    written, wanted = tokens(text), tokens(str(row["answer"]))
    unigrams = rouge1(written, wanted)
    parts = {
        "rouge1_precision": unigrams.precision,
        "rouge1_recall": unigrams.recall,
        "rouge2": rouge2(written, wanted).f,
        "rougeL": rouge_l(written, wanted).f,
    }
    if row.get("division") == "full":
        divisions = division_scores(text, str(row["answer"]))
        parts |= {f"rouge1_{name}": value for name, value in divisions.items()}
    return ItemScore(str(row["id"]), unigrams.f, bool(written), len(written), parts)


SCORER = MeanScorer(
    name="rouge1",
    version="1",
    score=score_note,
    parts=("rouge1_precision", "rouge1_recall", "rouge2", "rougeL"),
    extras=tuple(f"rouge1_{name}" for name in DIVISIONS),
)
