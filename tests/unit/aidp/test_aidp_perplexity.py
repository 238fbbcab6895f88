"""Perplexity against a direct computation, one text at a time and without padding."""

from __future__ import annotations

import math

import pytest
from datasets import Dataset

import aidp
from aidp import AidpError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
WORDS = [f"w{i}" for i in range(40)]


@pytest.fixture(scope="module", params=[None, "[BOS]"])
def model_folder(request, tmp_path_factory):
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = str(tmp_path_factory.mktemp("model"))
    vocabulary = {word: i for i, word in enumerate(["[UNK]", "[BOS]", *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="[UNK]", bos_token=request.param
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.Qwen3Config(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
    )
    transformers.Qwen3ForCausalLM(config).save_pretrained(folder)
    return folder


def direct(folder: str, context: str, text: str) -> float:
    """exp of the mean loss of the text's tokens, computed for this text alone."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    first = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    before = first + tokenizer(context, add_special_tokens=False)["input_ids"]
    ids = before + tokenizer(text, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logs = torch.log_softmax(network(torch.tensor([ids])).logits[0].double(), -1)
    scored = range(max(1, len(before)), len(ids))
    return math.exp(-sum(float(logs[i - 1, ids[i]]) for i in scored) / len(scored))


TEXTS = ["w1 w2 w3", "w4 w5 w6 w7 w8 w9 w10 w11 w12", "w3 w1", "w7 " * 30, "w39 w0 w39 w0"]


def test_equals_the_direct_computation(model_folder):
    rows = Dataset.from_dict({"text": TEXTS})
    outcome = aidp.compute_perplexity(rows, model=model_folder, batch_tokens=60, report=True)
    expected = [direct(model_folder, "", text) for text in TEXTS]
    assert outcome.dataset["perplexity"][:] == pytest.approx(expected, rel=1e-4)
    assert 0 <= outcome.account.notes["padded_share"] < 0.5


def test_context_is_not_scored(model_folder):
    rows = Dataset.from_dict({"prompt": ["w1 w2 w3", "w9"], "answer": ["w4 w5", "w6 w6 w6"]})
    made = aidp.compute_perplexity(rows, column="answer", given="prompt", model=model_folder)
    expected = [direct(model_folder, r["prompt"], r["answer"]) for r in rows]
    assert made["perplexity"][:] == pytest.approx(expected, rel=1e-4)


def test_the_batch_does_not_matter(model_folder):
    rows = Dataset.from_dict({"text": TEXTS})
    one, many = (
        aidp.compute_perplexity(rows, model=model_folder, batch_tokens=n)["perplexity"][:]
        for n in (1, 10_000)
    )
    assert one == pytest.approx(many, rel=1e-5)


def test_texts_without_a_token_to_score_are_null(model_folder):
    rows = Dataset.from_dict({"text": ["", None, "w1 w2"]})
    outcome = aidp.compute_perplexity(rows, model=model_folder, report=True)
    assert outcome.dataset["perplexity"][:2] == [None, None]
    assert outcome.dataset["perplexity_error"][:] == ["no token to score"] * 2 + [None]
    assert outcome.account.rows_failed == 2


def test_a_model_that_is_not_there(tmp_path):
    rows = Dataset.from_dict({"text": ["a"]})
    with pytest.raises(AidpError, match="cannot load the model"):
        aidp.compute_perplexity(rows, model=str(tmp_path / "absent"))
