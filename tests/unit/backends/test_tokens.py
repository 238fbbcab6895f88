"""Tokens: what a row becomes, what is refused, and that the cache is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from ft_bench.backends.models.loading import frame, load_tokenizer
from ft_bench.backends.train.tokens import cached_tokens, read_pairs, tokenise
from ft_bench.errors import JobFailed
from ft_bench.job import ModelRef


@pytest.fixture
def tokenizer(base: ModelRef) -> Any:
    return load_tokenizer(base)


def saved(folder: Path, rows: dict[str, list[Any]]) -> str:
    Dataset.from_dict(rows).save_to_disk(str(folder / "data"))
    return str(folder / "data")


def test_a_row_is_the_framed_prompt_the_answer_and_the_end(tokenizer: Any) -> None:
    tokens = tokenise(tokenizer, ["old red"], ["red"], max_length=64)
    text = tokenizer.decode(tokens.sequence(0))
    assert text == "<|user|>old red<|assistant|>red<|end|>"
    answer = tokens.sequence(0)[-tokens.answers[0] :]
    assert tokenizer.decode(answer) == "red<|end|>"


def test_a_long_prompt_loses_its_middle_and_the_answer_stays(tokenizer: Any) -> None:
    prompt = "start " + "wide " * 50 + "finish"
    tokens = tokenise(tokenizer, [prompt, "old"], ["red", "blue"], max_length=24)
    text = tokenizer.decode(tokens.sequence(0))
    assert len(tokens.sequence(0)) == 24
    assert text.startswith("<|user|>start")
    assert text.endswith("finish<|assistant|>red<|end|>")
    assert tokens.truncated == 0.5


def test_answers_that_fit_nowhere_are_an_empty_dataset(tokenizer: Any) -> None:
    with pytest.raises(JobFailed, match="max_length 8") as failure:
        tokenise(tokenizer, ["old"], ["red " * 20], max_length=8)
    assert failure.value.kind == "DATA_EMPTY"


def test_without_a_template_the_prompt_stands_for_itself(tokenizer: Any) -> None:
    tokenizer.chat_template = None
    assert frame(tokenizer, ["old red"]) == ["old red\n"]


def test_rows_without_text_are_left_out(tmp_path: Path) -> None:
    folder = saved(tmp_path, {"prompt": ["a", "", None, "b"], "answer": ["1", "2", "3", None]})
    assert read_pairs(folder) == (["a"], ["1"])


@pytest.mark.parametrize(
    ("rows", "kind", "words"),
    [
        ({"prompt": ["a"], "label": ["1"]}, "DATA_SCHEMA", "no column 'answer'"),
        ({"prompt": ["a"], "answer": [1]}, "DATA_SCHEMA", "int64"),
        ({"prompt": [["a"]], "answer": ["1"]}, "DATA_SCHEMA", "expected string"),
        ({"prompt": [""], "answer": ["1"]}, "DATA_EMPTY", "none of 1 rows"),
        ({"prompt": [], "answer": []}, "DATA_EMPTY", "has no rows"),
    ],
)
def test_a_dataset_that_cannot_be_used(
    tmp_path: Path, rows: dict[str, list[Any]], kind: str, words: str
) -> None:
    with pytest.raises(JobFailed, match=words) as failure:
        read_pairs(saved(tmp_path, rows))
    assert failure.value.kind == kind


def test_a_folder_without_a_dataset(tmp_path: Path) -> None:
    with pytest.raises(JobFailed) as failure:
        read_pairs(str(tmp_path / "nothing"))
    assert failure.value.kind == "DATA_SOURCE"


def test_the_cache_is_keyed_by_dataset_template_and_length(
    tokenizer: Any, dataset: str, tmp_path: Path
) -> None:
    def make(**change: Any) -> int:
        asked = {"dataset": dataset, "dataset_hash": "h", "max_length": 64} | change
        cached_tokens(tokenizer, cache=tmp_path / "cache", **asked)
        return len(list((tmp_path / "cache").iterdir()))

    assert make() == 1
    assert make(dataset="gone, but never read again") == 1
    assert make(max_length=32) == 2
    assert make(dataset_hash="other") == 3
    tokenizer.chat_template += " "
    assert make() == 4


def test_tokens_from_the_cache_are_the_tokens(tokenizer: Any, dataset: str, tmp_path: Path) -> None:
    made, read = (cached_tokens(tokenizer, dataset, "h", 64, tmp_path) for _ in range(2))
    assert made.ids.tolist() == read.ids.tolist()
    assert made.starts.tolist() == read.starts.tolist()
    assert made.answers.tolist() == read.answers.tolist()
    assert made.truncated == read.truncated == 0.0
