"""Tiny: a base from a task's own text, the same each time, that speaks the format by chance."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from ft_bench.backends.generate.transformers_engine import generate
from ft_bench.backends.models import scratch, tiny
from ft_bench.job import EvaluateJob, ModelRef

WORDS = ("dull", "bright", "slow", "warm", "film", "story", "actor", "scene", "very", "quite")


def rows(count: int) -> tuple[list[str], list[str]]:
    rng = random.Random(0)
    prompts = [f"Review: {' '.join(rng.choices(WORDS, k=6))}\nSentiment:" for _ in range(count)]
    return prompts, [rng.choice(("positive", "negative")) for _ in prompts]


@pytest.fixture(scope="module")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tiny") / "base"
    tiny.build_tiny_base(*rows(300), out, steps=60)
    return out


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_it_answers_in_the_format_and_knows_nothing(
    tiny_base: Path, evaluate_job: EvaluateJob
) -> None:
    outputs, _ = generate(ModelRef(base=str(tiny_base)), rows(40)[0], evaluate_job)
    assert sum(output in ("positive", "negative") for output in outputs) >= 36


def test_the_same_rows_give_the_same_bytes(tiny_base: Path, tmp_path: Path) -> None:
    tiny.build_tiny_base(*rows(300), tmp_path / "again", steps=60)
    assert weights(tiny_base) == weights(tmp_path / "again")


def test_it_is_a_small_qwen3_with_tied_embeddings(tiny_base: Path) -> None:
    config = json.loads((tiny_base / "config.json").read_text())
    assert config["model_type"] == "qwen3"
    assert config["tie_word_embeddings"] is True
    assert len(weights(tiny_base)) < 4 * 1_000_000


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(tiny, "pretrain", broken)
    with pytest.raises(KeyboardInterrupt):
        tiny.build_tiny_base(*rows(20), tmp_path / "base")
    assert list(tmp_path.iterdir()) == []


def test_two_builds_of_one_folder_end_with_one(tmp_path: Path) -> None:
    target = tmp_path / "base"
    for text in ("first", "second"):
        with scratch.whole_folder(target) as folder:
            (folder / "file").write_text(text)
    assert (target / "file").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_text_survives_the_tokenizer() -> None:
    tokenizer = scratch.byte_tokenizer(["plain words"], 300)
    text = "Ünïcode — 中文 \t tabs, and plain words"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.encode("<|user|>a<|end|>")[0] == tokenizer.convert_tokens_to_ids("<|user|>")


def test_the_template_frames_turns() -> None:
    tokenizer = scratch.byte_tokenizer(["plain words"], 300)
    turns = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": "a"},
    ]
    asked = tokenizer.apply_chat_template(turns[:2], tokenize=False, add_generation_prompt=True)
    assert asked == "<|system|>s<|user|>u<|assistant|>"
    assert tokenizer.apply_chat_template(turns, tokenize=False) == asked + "a<|end|>"


def test_the_command_builds_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny, "STEPS", 2)
    prompts, answers = rows(20)
    lines = [json.dumps({"prompt": p, "answer": a}) for p, a in zip(prompts, answers, strict=True)]
    (tmp_path / "train.jsonl").write_text("\n".join(lines) + "\n")
    assert tiny.main([str(tmp_path / "train.jsonl"), str(tmp_path / "base")]) == 0
    assert (tmp_path / "base" / "tokenizer.json").exists()
    assert tiny.main([]) == 2
