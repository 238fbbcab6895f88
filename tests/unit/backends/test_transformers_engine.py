"""Generation: batched is one by one, order is kept, the profile says how."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from ft_bench.backends.generate.transformers_engine import generate
from ft_bench.backends.models.loading import load_tokenizer, template_hash
from ft_bench.backends.train import sft
from ft_bench.job import EvaluateJob, ModelRef, TrainJob
from ft_bench.plan import Lora

WORDS = ("red", "green", "blue", "round", "square", "old", "new", "far", "near", "wide")

# peft 0.21 reads an attribute that transformers 5.23 has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")


@pytest.fixture
def prompts() -> list[str]:
    rng = random.Random(1)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 12))) for _ in range(23)]


def trained(job: TrainJob, lora: Lora | None = None) -> ModelRef:
    variant = job.variant.model_copy(update={"epochs": 12, "lora": lora, "lr": 1e-2})
    return sft.train(job.model_copy(update={"variant": variant})).model


def test_batched_outputs_are_those_of_one_prompt_at_a_time(
    train_job: TrainJob, evaluate_job: EvaluateJob, prompts: list[str]
) -> None:
    model = trained(train_job)
    batched, _ = generate(model, prompts, evaluate_job)
    alone = evaluate_job.model_copy(update={"batch_size": 1})
    assert batched == generate(model, prompts, alone)[0]
    assert len(set(batched)) > 1
    assert all("<|" not in output and output == output.strip() for output in batched)


def test_the_order_of_prompts_does_not_matter(
    train_job: TrainJob, evaluate_job: EvaluateJob, prompts: list[str]
) -> None:
    model = trained(train_job)
    forward, _ = generate(model, prompts, evaluate_job)
    backward, _ = generate(model, prompts[::-1], evaluate_job)
    assert forward == backward[::-1]


def test_an_adapter_changes_the_outputs_of_its_base(
    train_job: TrainJob, evaluate_job: EvaluateJob, prompts: list[str]
) -> None:
    model = trained(train_job, Lora(r=8, alpha=32))
    tuned, _ = generate(model, prompts, evaluate_job)
    plain, _ = generate(train_job.init, prompts, evaluate_job)
    assert tuned != plain


def test_the_profile_names_engine_dtype_batch_template_and_decoding(
    evaluate_job: EvaluateJob, base: ModelRef
) -> None:
    _, profile = generate(base, ["old"], evaluate_job)
    mark = template_hash(load_tokenizer(base))
    assert re.fullmatch(
        rf"transformers-5\.\d+/(float32|bfloat16)/bs5/template:{mark}/greedy/max4", profile
    )


def test_sampling_defaults_of_a_model_are_not_used(
    evaluate_job: EvaluateJob, base: ModelRef, tmp_path: Path, prompts: list[str]
) -> None:
    import shutil

    from transformers import GenerationConfig

    hot = tmp_path / "hot"
    shutil.copytree(base.base, hot)
    GenerationConfig(do_sample=True, temperature=9.0, top_k=50).save_pretrained(hot)
    cold, _ = generate(base, prompts, evaluate_job)
    assert generate(ModelRef(base=str(hot)), prompts, evaluate_job)[0] == cold


def test_no_prompts_no_outputs(evaluate_job: EvaluateJob, base: ModelRef) -> None:
    assert generate(base, [], evaluate_job)[0] == []
