"""Operators that ask a language model, over real HTTP against a scripted server."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from datasets import Dataset
from scripted_server import serve

import aidp
from aidp import AidpError
from aidp.llm.structured import fault, read_json


def rows(n: int = 6) -> Dataset:
    return Dataset.from_dict(
        {"prompt": [f"question {i}" for i in range(n)], "answer": [f"reply {i}" for i in range(n)]}
    )


def by_number(text: str, number: int) -> str:
    """Score a row by the digit in its answer."""
    digit = re.search(r"reply (\d)", text)
    return json.dumps({"reason": "so", "score": int(digit.group(1)) + 1 if digit else 1})


def test_scores_land_on_their_rows_and_zero_is_a_score():
    with serve(lambda text, n: by_number(text, n)) as server:
        outcome = aidp.score_dataset_with_llm(rows(), llm=server.options(), low=0, report=True)
    assert outcome.dataset["llm_score"][:] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert outcome.dataset["llm_score_error"][:] == [None] * 6
    assert outcome.account.notes["requests_sent"] == 6
    assert outcome.account.notes["tokens"] > 0
    with serve(lambda text, n: '{"score": 0}') as server:
        zero = aidp.score_dataset_with_llm(rows(1), llm=server.options(), low=0)
    assert zero["llm_score"][:] == [0.0]


def test_equal_requests_are_sent_once():
    doubled = Dataset.from_dict({"prompt": ["q"] * 5, "answer": ["reply 3"] * 5})
    with serve(by_number, delay_seconds=0.02) as server:
        made = aidp.score_dataset_with_llm(doubled, llm=server.options())
    assert len(server.bodies) == 1
    assert made["llm_score"][:] == [4.0] * 5


def test_a_journal_saves_every_request_of_a_second_run(tmp_path):
    path = str(tmp_path / "replies.jsonl")
    with serve(by_number) as server:
        first = aidp.score_dataset_with_llm(rows(), llm=server.options(journal=path))
        again = aidp.score_dataset_with_llm(rows(8), llm=server.options(journal=path), report=True)
    assert len(server.bodies) == 8
    assert again.account.notes["from_journal"] == 6
    assert again.dataset["llm_score"][:6] == first["llm_score"][:]


def test_a_journal_cut_off_by_a_crash_is_read_to_its_last_whole_line(tmp_path):
    path = tmp_path / "replies.jsonl"
    with serve(by_number) as server:
        aidp.score_dataset_with_llm(rows(), llm=server.options(journal=str(path)))
        text = path.read_text()
        path.write_text(text[: len(text) - 20])
        aidp.score_dataset_with_llm(rows(), llm=server.options(journal=str(path)))
    assert len(server.bodies) == 7
    assert len(path.read_text().splitlines()) == 6


def test_transient_failures_are_tried_again_and_never_kept(tmp_path):
    path = tmp_path / "replies.jsonl"

    def flaky(text: str, number: int):
        return (503, "busy") if number < 3 else by_number(text, number)

    with serve(flaky) as server:
        options = server.options(journal=str(path), max_concurrency=1)
        made = aidp.score_dataset_with_llm(rows(2), llm=options)
    assert made["llm_score"][:] == [1.0, 2.0]
    assert len(server.bodies) == 5
    assert len(path.read_text().splitlines()) == 2


def test_a_row_that_fails_for_good_is_null_with_the_reason():
    def broken(text: str, number: int):
        return (400, "content filter") if "question 1" in text else by_number(text, number)

    with serve(broken) as server:
        outcome = aidp.score_dataset_with_llm(rows(3), llm=server.options(), report=True)
    assert outcome.dataset["llm_score"][:] == [1.0, None, 3.0]
    assert "HTTP 400: content filter" in outcome.dataset["llm_score_error"][1]
    assert outcome.account.rows_failed == 1
    with serve(lambda text, n: (500, "down")) as server:
        made = aidp.score_dataset_with_llm(rows(1), llm=server.options(retries=2))
    assert len(server.bodies) == 3
    assert "failed 3 times" in made["llm_score_error"][0]


def test_a_wrong_key_stops_everything(monkeypatch):
    monkeypatch.setenv("SOME_KEY", "secret")
    with serve(lambda text, n: (401, "bad key")) as server:
        options = server.options(api_key_env="SOME_KEY", max_concurrency=1)
        with pytest.raises(AidpError, match="key in SOME_KEY") as caught:
            aidp.score_dataset_with_llm(rows(), llm=options)
    assert server.keys == ["Bearer secret"]
    assert "secret" not in str(caught.value)


def test_no_more_requests_are_in_flight_than_allowed():
    with serve(by_number, delay_seconds=0.03) as server:
        aidp.score_dataset_with_llm(rows(9), llm=server.options(max_concurrency=3))
    assert server.busiest == 3


def test_a_token_budget_ends_before_the_call_that_would_overrun():
    with serve(by_number) as server:
        options = server.options(budget_tokens=800, max_tokens=50, max_concurrency=4)
        outcome = aidp.score_dataset_with_llm(rows(20).select(range(9)), llm=options, report=True)
    notes = outcome.account.notes
    assert notes["tokens"] <= 800
    assert 0 < len(server.bodies) < 9
    assert notes["over_budget"] == 9 - len(server.bodies)
    errors = [error for error in outcome.dataset["llm_score_error"] if error]
    assert len(errors) == notes["over_budget"]
    assert all("budget ended" in error for error in errors)


def test_a_budget_in_usd_needs_prices_and_holds():
    with pytest.raises(AidpError, match="needs both prices"):
        aidp.score_dataset_with_llm(rows(), llm={"model": "m", "base_url": "x", "budget_usd": 1.0})
    with serve(by_number) as server:
        options = server.options(
            budget_usd=0.0006, input_usd_per_million=1.0, output_usd_per_million=1.0, max_tokens=100
        )
        outcome = aidp.score_dataset_with_llm(rows(9), llm=options, report=True)
    assert 0 < outcome.account.notes["cost_usd"] <= 0.0006
    assert outcome.account.notes["over_budget"] > 0


def test_a_malformed_reply_is_sent_back_with_what_is_wrong():
    def slow_learner(text: str, number: int):
        return '{"score": 5,}' if "cannot be used" in text else "eleven of ten!"

    with serve(slow_learner) as server:
        outcome = aidp.score_dataset_with_llm(rows(1), llm=server.options(), report=True)
    assert outcome.dataset["llm_score"][:] == [5.0]
    assert outcome.account.notes["repaired"] == 1
    assert "holds no JSON" in server.bodies[1]["messages"][-1]["content"]
    with serve(lambda text, n: '{"score": 99}') as server:
        made = aidp.score_dataset_with_llm(rows(1), llm=server.options())
    assert made["llm_score"][:] == [None]
    assert "expected 1 to 10" in made["llm_score_error"][0]


def test_pairwise_swaps_places_so_that_a_liking_for_the_first_cancels():
    pairs = Dataset.from_dict(
        {"prompt": ["p", "q"], "answer": ["good", "meh"], "other": ["bad", "dull"]}
    )

    def judge(text: str, number: int) -> str:
        if "good" not in text:
            return '{"winner": "A"}'
        return '{"winner": "A"}' if text.index("good") < text.index("bad") else '{"winner": "B"}'

    with serve(judge) as server:
        outcome = aidp.score_dataset_with_llm(
            pairs, llm=server.options(), mode="pairwise", report=True
        )
    assert outcome.dataset["llm_score"][:] == [1.0, 0.0]
    assert outcome.account.notes["swayed_by_order"] == 1


def test_self_instruct_adds_new_rows_once():
    def author(text: str, number: int) -> str:
        return json.dumps({"prompt": f"new {number % 3}", "answer": "42"})

    with serve(author) as server:
        outcome = aidp.generate_dataset_with_llm(
            rows(4), n=6, llm=server.options(max_concurrency=1), report=True
        )
    made = outcome.dataset
    assert made["prompt"][4:] == ["new 0", "new 1", "new 2"]
    assert made["generated_by"][:] == [None] * 4 + ["self_instruct"] * 3
    assert outcome.account.rows_added == 3
    assert outcome.account.notes["asked_for"] == 6


def test_evolve_asks_for_a_harder_version_and_can_drop_the_old():
    def author(text: str, number: int) -> str:
        asked = re.search(r"question \d", text).group(0)
        return json.dumps({"prompt": f"{asked}, but harder", "answer": "x"})

    with serve(author) as server:
        made = aidp.generate_dataset_with_llm(
            rows(3), mode="evolve", keep=False, llm=server.options()
        )
    assert sorted(made["prompt"][:]) == [f"question {i}, but harder" for i in range(3)]


def test_a_template_fills_columns_and_not_what_they_hold():
    data = Dataset.from_dict({"a": ["{b}", "x"], "b": ["1", "2"]})
    with serve(lambda text, n: text.upper()) as server:
        made = aidp.generate_dataset_with_llm(
            data, mode="template", instruction="say {a}!", output="c", llm=server.options()
        )
        assert made["c"][:] == ["SAY {B}!", "SAY X!"]
        with pytest.raises(AidpError, match=r"names \{z\}"):
            aidp.generate_dataset_with_llm(
                data, mode="template", instruction="{z}", llm=server.options()
            )


def test_preference_pairs_are_the_best_and_the_worst():
    def both(text: str, number: int) -> str:
        if "judge an answer" in text:
            return json.dumps({"score": int(re.search(r"draft (\d+)", text).group(1)) % 9 + 1})
        return f"draft {number}" if "question 2" not in text else "draft 7"

    with serve(both) as server:
        outcome = aidp.generate_preference_dataset(
            rows(3), candidates=3, llm=server.options(max_concurrency=1), report=True
        )
    made = outcome.dataset
    assert made["chosen"][:] == ["draft 2", "draft 5"]
    assert made["rejected"][:] == ["draft 0", "draft 3"]
    assert made["chosen_score"][0] > made["rejected_score"][0]
    assert outcome.account.reasons == {"fewer than two judged answers": 1}


def test_it_works_inside_a_running_loop():
    async def main(options: dict) -> list[float]:
        return aidp.score_dataset_with_llm(rows(2), llm=options)["llm_score"][:]

    with serve(by_number) as server:
        assert asyncio.run(main(server.options())) == [1.0, 2.0]


def test_a_recipe_keeps_replies_in_its_workspace(tmp_path):
    with serve(by_number) as server:
        step = {"op": "score_dataset_with_llm", "params": {"llm": server.options()}}
        recipe = {"sources": [{"id": "a"}], "steps": [step]}
        first = aidp.run(recipe, {"a": rows()}, workspace=tmp_path)
        (next(p for p in tmp_path.glob("*.json"))).unlink()
        again = aidp.run(recipe, {"a": rows()}, workspace=tmp_path)
    assert len(server.bodies) == 6
    assert first.lineage["output_hash"] == again.lineage["output_hash"]
    assert server.url not in json.dumps(first.lineage["steps"])


@pytest.mark.parametrize(
    ("llm", "words"),
    [
        ({}, "no 'model'"),
        ({"model": "m", "base_ulr": "x"}, "did you mean 'base_url'"),
        ({"model": 3}, "'model' is 3"),
        ({"model": "m", "max_tokens": 0}, "at least 1"),
    ],
)
def test_bad_options(llm, words):
    with pytest.raises(AidpError, match=words) as caught:
        aidp.score_dataset_with_llm(rows(), llm=llm)
    assert caught.value.operator == "score_dataset_with_llm"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_through_litellm(monkeypatch):
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    pytest.importorskip("litellm")
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    with serve(by_number) as server:
        monkeypatch.setenv("OPENAI_API_BASE", server.url)
        made = aidp.score_dataset_with_llm(rows(2), llm={"model": "openai/scripted"})
    assert made["llm_score"][:] == [1.0, 2.0]


@pytest.mark.parametrize(
    "text",
    ['{"a": [1, 2]}', 'Sure!\n```json\n{"a": [1, 2],}\n```\nDone.', 'It is {"a": [1, 2]} then.'],
)
def test_json_is_found_amid_words(text):
    assert read_json(text) == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("value", "schema", "words"),
    [
        ([1, "x"], {"type": "array", "items": {"type": "integer"}}, "[1] is 'x'"),
        ({"a": True}, {"type": "object", "properties": {"a": {"type": "number"}}}, "True"),
        ({}, {"type": "object", "required": ["a"]}, "no 'a'"),
        (" ", {"type": "string", "minLength": 1}, "blank"),
        ("x", {"enum": ["y"]}, "one of"),
    ],
)
def test_faults_are_named(value, schema, words):
    assert words in fault(value, schema)
