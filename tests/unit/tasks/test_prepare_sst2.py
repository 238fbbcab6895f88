"""SST-2's preparation: blanks, quotes, line ends, and the five wrong labels."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any

from ft_bench.tasks.sst2.prepare import MISLABELLED_TEST_ROWS, prepare

HEADER = "sentence\tlabel\n"
FILES = {
    "train.tsv": HEADER + 'a "fine" film \t1\n',
    "dev.tsv": HEADER + "dull \t0\nbright \t1\n",
    "test-labeled.tsv": (HEADER + "so so\t0\n").replace("\n", "\r\n"),
}


def test_sentences_lose_their_trailing_blank_and_keep_their_quotes(hand_made: Any) -> None:
    data = prepare(hand_made(FILES))
    assert data.train[0]["sentence"] == 'a "fine" film'
    assert data.train[0]["answer"] == "positive"
    assert data.test[0]["sentence"] == "so so"
    assert data.test[0]["answer"] == "negative"


def test_prompt_ends_where_the_answer_starts(hand_made: Any) -> None:
    row = prepare(hand_made(FILES)).validation[1]
    assert row["prompt"] == "Review: bright\nSentiment (positive or negative):"
    assert (row["id"], row["answer"]) == ("validation-1", "positive")


def test_five_wrong_test_labels_are_corrected(hand_made: Any) -> None:
    lines = "".join(f"sentence {index}\t0\n" for index in range(1300))
    data = prepare(hand_made({**FILES, "test-labeled.tsv": HEADER + lines}))
    turned = {row["index"] for row in data.test if row["label"] == 1}
    assert turned == MISLABELLED_TEST_ROWS
    assert any("5 test labels" in note for note in data.notes)


def test_labels_equal_those_on_which_three_copies_agree(
    published: Callable[[str], Any], shared_data: Callable[[str], Any]
) -> None:
    _, data = published("sst2")
    with shared_data("sst2/test_labels_resolved.tsv").open(encoding="utf-8") as lines:
        resolved = [int(line["label"]) for line in csv.DictReader(lines, delimiter="\t")]
    assert [row["label"] for row in data.test] == resolved
    assert (resolved.count(0), resolved.count(1)) == (912, 909)
