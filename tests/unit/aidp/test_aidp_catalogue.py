"""The catalogue: what it says can be done as it says it, in Python and as a recipe."""

from __future__ import annotations

import json
import re

import pytest
from datasets import Dataset
from scripted_server import serve

import aidp
from aidp.describe import catalogue_text, example_step
from aidp.operators import OPERATORS, find_operator

SMILES = ["CCO", "CCN", "c1ccccc1", "CC(=O)O"]
NEEDS_MODEL = "compute_perplexity"
ANSWERS = {
    "filter_by_format": ["A", "B", "C", "A"],
    "normalise_list": ["x; y", "x|y", "y", "x"],
}


def rows_for(name: str) -> Dataset:
    """Rows that have every column the examples name."""
    n = 20
    prompts = [f"question {i} of many, with the words it takes to be one" for i in range(n)]
    answers = [ANSWERS.get(name, SMILES)[i % 4] for i in range(n)]
    return Dataset.from_dict(
        {
            "prompt": prompts,
            "answer": answers,
            "text": prompts,
            "source": [("a", "web", "books")[i % 3] for i in range(n)],
            "label": [i % 2 for i in range(n)],
            "quality": [i / n for i in range(n)],
            "messages": [
                [{"role": "user", "content": p}, {"role": "assistant", "content": a}]
                for p, a in zip(prompts, answers, strict=True)
            ],
        }
    )


def replies(text: str, number: int) -> str:
    """A reply that every kind of request can use."""
    made = {"score": 1 + number % 9, "prompt": f"new {number}", "answer": f"said {number}"}
    return json.dumps(made)


def reachable(value: dict, url: str) -> dict:
    return {**value, "base_url": url, "model": "scripted"}


@pytest.mark.parametrize("name", sorted(set(OPERATORS) - {NEEDS_MODEL}))
def test_every_example_runs_as_a_call_and_as_a_step(name):
    data = rows_for(name)
    validation = Dataset.from_dict({"prompt": ["question 3 of many, with other words"]})
    operator, step = find_operator(name), example_step(find_operator(name))
    with serve(replies) as server:
        example = re.sub(r"llm=\{.*?\}", "llm=llm", operator.example)
        known = {name: getattr(aidp, name), "data": data, "validation": validation}
        made = eval(example, {**known, "llm": reachable({}, server.url)})
        if "llm" in step["params"]:
            step["params"]["llm"] = reachable(step["params"]["llm"], server.url)
        recipe = {"sources": [{"id": "data"}], "steps": [json.loads(json.dumps(step))]}
        outcome = aidp.run(recipe, {"data": data, "validation": validation})
    assert len(made) > 0
    assert outcome.dataset.column_names == made.column_names


def test_the_example_that_needs_a_model_is_a_valid_step():
    step = example_step(find_operator(NEEDS_MODEL))
    aidp.validate({"sources": [{"id": "data"}], "steps": [step]})
    with pytest.raises(aidp.AidpError, match="cannot load the model"):
        aidp.run({"sources": [{"id": "data"}], "steps": [step]}, {"data": rows_for("")})


def test_it_describes_every_operator_within_its_size():
    entries = {entry["name"]: entry for entry in aidp.catalogue()}
    assert set(OPERATORS) < set(entries)
    for entry in entries.values():
        assert entry["summary"]
        assert entry["name"] in entry["example"]
    # 3.5 characters a token is cautious for English and code.
    assert len(catalogue_text()) / 3.5 < 4_000
    assert len(json.dumps(aidp.catalogue())) / 3.5 < 4_000
