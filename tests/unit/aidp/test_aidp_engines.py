"""Ray: the same rows as a plain run."""

from __future__ import annotations

import pytest
from datasets import Dataset
from scripted_server import serve

import aidp
from aidp import AidpError

STEPS = [
    {"op": "deduplicate_by_text_hash", "params": {"column": ["prompt", "answer"]}},
    {"op": "select_by_filter", "params": {"where": "source <> 'c'"}},
    {"op": "filter_by_word_count", "params": {"column": "prompt", "least": 8}},
    {"op": "decontaminate", "params": {"column": "prompt", "against": "validation"}},
    {"op": "convert_chat", "params": {"system": "Answer."}},
]
RECIPE = {"sources": [{"id": "train"}], "steps": STEPS}


@pytest.fixture
def sources(chat_rows):
    train = chat_rows(3_000)
    doubled = Dataset.from_list(train.to_list() + train.select(range(0, 500, 2)).to_list())
    return {"train": doubled, "validation": train.select(range(40))}


def test_without_ray_the_remedy_is_named(sources, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(AidpError, match="engine='local'"):
        aidp.run(RECIPE, sources, engine="ray")


EVERY_KIND = [
    {"op": "deduplicate_by_text_hash", "params": {"column": ["prompt", "answer"]}},
    {"op": "select_by_filter", "params": {"where": "source <> 'c'"}},
    {"op": "decontaminate", "params": {"column": "prompt", "against": "validation"}},
    {"op": "deduplicate_by_minhash", "params": {"column": "prompt", "threshold": 0.7}},
    {"op": "drop_conflicts", "params": {"keep": "majority"}},
    {"op": "normalise_list", "params": {"separators": [";"]}},
    {"op": "score_text_quality", "params": {"column": "prompt"}},
    {"op": "select_by_score", "params": {"column": "label", "k": 900}},
    {"op": "generate_text_embeddings", "params": {"column": "prompt", "dimensions": 32}},
    {"op": "deduplicate_by_embedding", "params": {"embedding": "embedding", "threshold": 0.95}},
    {"op": "select_diverse", "params": {"embedding": "embedding", "k": 700}},
    {"op": "balance_classes", "params": {"mode": "up"}},
    {"op": "mix", "params": {"ratios": {"a": 0.6, "b": 0.4}}},
    {"op": "convert_chat", "params": {"system": "Answer."}},
]


@pytest.fixture(scope="module")
def local_ray():
    ray = pytest.importorskip("ray", reason="Ray is not installed; pip install 'ray[data]'")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()


def told(outcome: aidp.RunOutcome) -> list[dict]:
    """The accounts of a run without what says how it was computed."""
    return [
        {key: value for key, value in one.items() if key not in ("seconds", "resumed")}
        for one in outcome.lineage["steps"]
    ]


@pytest.mark.filterwarnings("ignore")
def test_ray_gives_the_rows_accounts_and_rejects_of_a_run(sources, local_ray):
    recipe = {"sources": [{"id": "train"}], "steps": EVERY_KIND, "max_samples": 250}
    here = aidp.run(recipe, sources)
    there = aidp.run(recipe, sources, engine="ray", num_proc=2)
    assert told(there) == told(here)
    assert there.lineage["output_hash"] == here.lineage["output_hash"]
    assert there.dataset.to_list() == here.dataset.to_list()
    assert there.rejects.to_list() == here.rejects.to_list()


@pytest.mark.filterwarnings("ignore")
def test_ray_names_the_row_of_the_whole_input(local_ray):
    step = {"op": "augment_smiles", "params": {"column": "text"}}
    texts = Dataset.from_dict({"text": ["C"] * 2_500 + ["no molecule"]})
    with pytest.raises(AidpError, match="filter_valid_smiles") as caught:
        aidp.run({"sources": [{"id": "a"}], "steps": [step]}, {"a": texts}, engine="ray")
    assert (caught.value.operator, caught.value.column, caught.value.row) == (
        "augment_smiles",
        "text",
        2_500,
    )


@pytest.mark.filterwarnings("ignore")
def test_model_calls_of_a_ray_run_are_made_once_from_here(local_ray, tmp_path):
    rows = Dataset.from_dict({"prompt": ["p"] * 3, "answer": ["a", "b", "c"]})
    with serve(lambda text, number: '{"score": 7}') as server:
        step = {"op": "score_dataset_with_llm", "params": {"llm": server.options()}}
        recipe = {"sources": [{"id": "a"}], "steps": [step]}
        made = aidp.run(recipe, {"a": rows}, engine="ray", workspace=tmp_path).dataset
    assert made["llm_score"][:] == [7.0] * 3
    assert len(server.bodies) == 3
