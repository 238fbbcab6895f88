from __future__ import annotations

from pathlib import Path

import pytest

from ft_bench import registry
from ft_bench.digest import file_sha256
from ft_bench.outcome import (
    filed,
    read_items,
    read_samples,
    score_of,
    statistics_of,
    write_samples,
)
from ft_bench.prepare import Prepared
from ft_bench.protocols import ItemScore, Row

ROWS: list[Row] = [
    {"id": "a", "prompt": "p", "answer": "positive"},
    {"id": "b", "prompt": "q", "answer": "negative"},
    {"id": "c", "prompt": "r", "answer": "negative"},
    {"id": "d", "prompt": "s", "answer": "positive"},
]
OUTPUTS = ["positive", "positive", "no idea\n\u2028", "It is positive."]


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    scorer = registry.scorer("sst2")
    items = scorer.score_items(ROWS, OUTPUTS)
    write_samples(tmp_path / "v" / "samples.jsonl", ROWS, OUTPUTS, items)
    return tmp_path / "v" / "samples.jsonl"


def test_samples_read_back(samples: Path) -> None:
    lines = read_samples(samples)
    assert [line["id"] for line in lines] == ["a", "b", "c", "d"]
    assert [line["output"] for line in lines] == OUTPUTS
    assert [line["value"] for line in lines] == [1, 0, 0, 1]
    assert [line["valid"] for line in lines] == [True, True, False, True]


def test_items_read_back_as_they_were_scored(samples: Path) -> None:
    assert read_items(samples) == registry.scorer("sst2").score_items(ROWS, OUTPUTS)


def test_parts_of_an_item_are_kept(tmp_path: Path) -> None:
    item = ItemScore("a", 0.5, True, ["x", None], {"rouge1": 0.5})
    write_samples(tmp_path / "s.jsonl", ROWS[:1], ["o"], [item])
    assert read_items(tmp_path / "s.jsonl") == [item]


def test_outputs_that_are_missing_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        write_samples(tmp_path / "s.jsonl", ROWS, ["one"], [ItemScore("a", 1.0, True)])
    assert not (tmp_path / "s.jsonl").exists()


def test_the_score_follows_from_the_samples(samples: Path, toy: Prepared) -> None:
    scorer = registry.scorer("sst2")
    score = score_of(toy.spec, scorer, ROWS, read_items(samples), "validation")
    assert (score.value, score.n, score.invalid) == (0.5, 4, 1)
    assert (score.metric, score.split, score.parser) == ("accuracy", "validation", "strict")
    assert 0 < score.ci.low < 0.5 < score.ci.high < 1
    assert score.ci.method == "wilson"
    assert score == score_of(toy.spec, scorer, ROWS, read_items(samples), "validation")


def test_statistics_stand_in_the_order_of_the_rows(samples: Path) -> None:
    statistics = statistics_of(samples, ROWS, registry.scorer("sst2"))
    assert statistics[:, 0].tolist() == [1, 0, 0, 1]


def test_a_filed_score_names_its_samples(samples: Path, tmp_path: Path, toy: Prepared) -> None:
    scorer = registry.scorer("sst2")
    bare = score_of(toy.spec, scorer, ROWS, read_items(samples), "test")
    score = filed(bare, tmp_path, samples, "fake")
    assert (score.samples, score.profile) == ("v/samples.jsonl", "fake")
    assert score.samples_sha256 == file_sha256(samples)
    assert bare.samples == ""
