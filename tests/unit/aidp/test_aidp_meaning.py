"""Embeddings, semantic duplicates, diversity, quality, language, format."""

from __future__ import annotations

import random

import numpy as np
import pytest
from datasets import Dataset

import aidp
from aidp import AidpError
from aidp.language import guess_language

TOPICS = {
    "law": "court judge contract statute plaintiff verdict appeal clause liability evidence",
    "food": "flour butter oven sugar recipe dough salt pepper bake simmer",
    "sky": "star planet orbit galaxy telescope comet lunar solar nebula gravity",
}


def topical(n: int) -> Dataset:
    draw = random.Random(0)
    rows = []
    for i in range(n):
        topic = list(TOPICS)[0 if i < n // 10 else 1 + i % 2]
        rows.append({"text": " ".join(draw.choices(TOPICS[topic].split(), k=12)), "topic": topic})
    return Dataset.from_list(rows)


def test_hashed_vectors_are_unit_and_say_what_they_are():
    outcome = aidp.generate_text_embeddings(topical(50), report=True, num_proc=2)
    vectors = np.array(outcome.dataset["embedding"][:])
    assert vectors.shape == (50, 512)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    assert outcome.account.notes["encoder"] == "hashed n-grams, no model"
    again = aidp.generate_text_embeddings(topical(50))
    assert again["embedding"][:] == outcome.dataset["embedding"][:]


def test_like_wording_is_nearer_than_unlike():
    rows = Dataset.from_dict(
        {
            "text": [
                "The judge read the verdict.",
                "the judge reads a verdict",
                "Add butter and salt.",
            ]
        }
    )
    a, b, c = np.array(aidp.generate_text_embeddings(rows)["embedding"][:])
    assert a @ b > 0.5 > a @ c


def test_a_model2vec_model_from_a_folder(tmp_path):
    model2vec = pytest.importorskip("model2vec")
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {"[UNK]": 0, "good": 1, "bad": 2}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    vectors = np.array([[0.0, 0.1], [1.0, 0.0], [0.0, 1.0]], np.float32)
    model2vec.StaticModel(vectors, words, config={"normalize": True}).save_pretrained(tmp_path)
    rows = Dataset.from_dict({"text": ["good", "bad bad", "good good good"]})
    made = aidp.generate_text_embeddings(rows, encoder="model2vec", model=str(tmp_path))
    assert np.array(made["embedding"][:]) == pytest.approx(np.array([[1, 0], [0, 1], [1, 0]]))


@pytest.mark.filterwarnings("ignore")
def test_a_sentence_transformers_model_from_a_folder(tmp_path):
    pytest.importorskip("sentence_transformers")
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "good": 2, "bad": 3}, "[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]"
    ).save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=4,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    rows = Dataset.from_dict({"text": ["good", "bad bad bad", "good"]})
    made = aidp.generate_text_embeddings(rows, encoder="sentence-transformers", model=str(tmp_path))
    a, b, c = np.array(made["embedding"][:])
    assert np.linalg.norm([a, b, c], axis=1) == pytest.approx(1)
    assert a == pytest.approx(c, abs=1e-6)
    assert np.abs(a - b).max() > 0.01


@pytest.mark.parametrize("encoder", ["model2vec", "sentence-transformers"])
def test_a_model_that_is_not_there(encoder, tmp_path):
    rows = Dataset.from_dict({"text": ["a"]})
    with pytest.raises(AidpError, match="needs a model"):
        aidp.generate_text_embeddings(rows, encoder=encoder)
    with pytest.raises(AidpError, match=r"cannot load|not installed"):
        aidp.generate_text_embeddings(rows, encoder=encoder, model=str(tmp_path / "absent"))


def test_semantic_duplicates_leave_for_a_kept_twin():
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(2_500, 16))
    near = vectors[:200] + 0.01 * draw.normal(size=(200, 16))
    rows = Dataset.from_dict({"v": np.concatenate([vectors, near]).tolist()})
    outcome = aidp.deduplicate_by_embedding(rows, embedding="v", threshold=0.98, report=True)
    left = {row["_row"]: row["_kept_row"] for row in outcome.rejects}
    assert len({2_500 + i for i in range(200)} & set(left)) >= 198
    stacked = np.concatenate([vectors, near])
    stacked /= np.linalg.norm(stacked, axis=1, keepdims=True)
    assert all(stacked[a] @ stacked[b] >= 0.979 for a, b in left.items())
    assert set(left).isdisjoint(left.values())


def test_semantic_dedup_without_vectors_uses_hashed_ones():
    rows = Dataset.from_dict({"text": ["judge verdict court", "Court, judge: verdict!", "butter"]})
    outcome = aidp.deduplicate_by_embedding(rows, threshold=0.6, report=True)
    assert outcome.dataset["text"][:] == ["judge verdict court", "butter"]
    assert "no model" in outcome.account.notes["encoder"]


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        ([[1.0], [1.0, 2.0, 3.0]], "several lengths"),
        ([[1.0, 2.0], None], "several lengths"),
        ([[1.0], [float("nan")]], "not finite"),
        (["a", "b"], "expected lists"),
    ],
)
def test_bad_vectors(vectors, words):
    with pytest.raises(AidpError, match=words) as caught:
        aidp.deduplicate_by_embedding(Dataset.from_dict({"v": vectors}), embedding="v")
    assert caught.value.column == "v"


def test_diverse_rows_cover_the_rare_topic():
    rows = topical(300)
    chosen = aidp.select_diverse(rows, k=30, clusters=3)
    assert len(chosen) == 30
    assert chosen["topic"][:].count("law") >= 8


def test_diverse_takes_the_best_scored_of_each_cluster():
    rows = topical(60).add_column("score", list(range(60)))
    assert 59 in aidp.select_diverse(rows, k=3, clusters=3, score="score")["score"][:]
    with pytest.raises(AidpError, match="null or NaN"):
        aidp.select_diverse(rows.add_column("bad", [None] * 60), k=3, score="bad")


def test_quality_tells_prose_from_noise():
    rows = Dataset.from_dict(
        {
            "text": [
                "The court heard the case on Monday.",
                "### ||| 123 456 !!! ###",
                "a a a a a a a a a a a",
            ]
        }
    )
    outcome = aidp.score_text_quality(rows, report=True)
    good, noise, dull = outcome.dataset["quality"][:]
    assert good == 1.0
    assert noise < good
    assert dull < good
    assert outcome.account.notes["rows_that_break"]["letters"] == 1


def test_languages_are_guessed_by_script_and_small_words():
    import polars as pl

    texts = [
        "The cat is on the mat and it is happy.",
        "Der Hund ist nicht auf dem Sofa und die Katze auch nicht.",
        "Le chat est dans la maison avec les enfants.",
        "\u4eca\u5929\u5929\u6c14\u5f88\u597d",
        "\u3053\u308c\u306f\u672c\u3067\u3059",
        "\u041f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440",
        "CCO",
    ]
    guesses = guess_language(pl.Series(texts)).to_list()
    assert guesses == ["en", "de", "fr", "zh", "ja", "ru", "unknown"]
    rows = Dataset.from_dict({"text": texts})
    assert len(aidp.filter_by_language(rows, languages=["en"])) == 2
    assert len(aidp.filter_by_language(rows, languages=["en"], unknown=False)) == 1
    with pytest.raises(AidpError, match="no language 'xx'"):
        aidp.filter_by_language(rows, languages=["xx"])


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"form": "json"}, 2),
        ({"form": "json object", "keys": ["a"]}, 1),
        ({"form": "one line"}, 4),
        ({"form": "choice", "choices": ["A"]}, 1),
        ({"form": "pattern", "pattern": r"[A-D]\s*"}, 1),
    ],
)
def test_formats(options, kept):
    rows = Dataset.from_dict(
        {"answer": ['{"a": 1}', "[1]", "A ", "two\nlines", "", "{broken", None]}
    )
    assert len(aidp.filter_by_format(rows, **options)) == kept


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"form": "choice"}, "needs choices"),
        ({"form": "pattern"}, "needs a pattern"),
        ({"form": "pattern", "pattern": "("}, "no regular expression"),
    ],
)
def test_formats_that_lack_something(options, words):
    with pytest.raises(AidpError, match=words):
        aidp.filter_by_format(Dataset.from_dict({"answer": ["a"]}), **options)
