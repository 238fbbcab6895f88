"""HoC's preparation: CSV quoting inside a tab-separated file, and labels in one order."""

from __future__ import annotations

from typing import Any

from ft_bench.tasks.hoc.prepare import HALLMARKS, prepare
from ft_bench_scorers.hoc import LABELS

HEADER = "pmid\ttext\tlabels\n"
QUOTED = '7\t"He said ""stop"" ; cells did ."\tresisting cell death;evading growth suppressors\n'
FILES = {
    "train.tsv": HEADER + QUOTED,
    "dev.tsv": HEADER + "8\tPlain text .\tinducing angiogenesis\n",
    "test.tsv": HEADER + "9\tp &lt ; 0.05 .\tcellular energetics\n",
}


def test_quoted_fields_lose_their_quotes(hand_made: Any) -> None:
    (row,) = prepare(hand_made(FILES)).train
    assert row["text"] == 'He said "stop" ; cells did .'
    assert row["text"] in row["prompt"]


def test_answers_list_labels_in_the_fixed_order(hand_made: Any) -> None:
    (row,) = prepare(hand_made(FILES)).train
    assert row["answer"] == "evading growth suppressors;resisting cell death"


def test_entities_stay_as_upstream_wrote_them(hand_made: Any) -> None:
    (row,) = prepare(hand_made(FILES)).test
    assert row["id"] == "test-9"
    assert "&lt ;" in row["text"]


def test_the_task_and_its_scorer_know_the_same_labels() -> None:
    assert HALLMARKS == LABELS


def test_label_counts_are_the_published_ones(published: Any) -> None:
    _, data = published("hoc")
    counts = {
        label: sum(label in row["answer"].split(";") for row in data.train) for label in HALLMARKS
    }
    assert counts["sustaining proliferative signaling"] == 338
    assert counts["cellular energetics"] == 76
    assert not any(row["text"].startswith('"') and row["text"].endswith('"') for row in data.train)
