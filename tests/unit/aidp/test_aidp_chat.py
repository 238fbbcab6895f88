"""Chat formats: there and back, and what is no conversation."""

from __future__ import annotations

import pytest
from datasets import Dataset

import aidp
from aidp import AidpError


def pairs() -> Dataset:
    return Dataset.from_dict({"prompt": ["hi", "2+2?"], "answer": ["hello", "4"], "id": ["a", "b"]})


def test_prompts_become_messages_with_a_system_message():
    made = aidp.convert_chat(pairs(), system="Be brief.")
    assert made.column_names == ["id", "messages"]
    assert made[1]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "2+2?"},
        {"role": "assistant", "content": "4"},
    ]


@pytest.mark.parametrize("form", ["alpaca", "sharegpt", "messages"])
def test_every_format_comes_back(form):
    there = aidp.convert_chat(pairs(), source="prompt", target=form)
    back = aidp.convert_chat(there, source=form, target="prompt")
    assert back.to_list() == [
        {"id": r["id"], "prompt": r["prompt"], "answer": r["answer"]} for r in pairs()
    ]


def test_the_fast_way_and_the_way_by_rows_agree():
    fast = aidp.convert_chat(pairs(), system="s")
    slow = aidp.convert_chat(
        aidp.convert_chat(pairs(), target="sharegpt", system="s"), source="sharegpt"
    )
    assert fast.to_list() == slow.to_list()


def test_alpaca_joins_instruction_and_input():
    rows = Dataset.from_dict({"instruction": ["Add"], "input": ["2, 3"], "output": ["5"]})
    made = aidp.convert_chat(rows, source="alpaca", target="prompt")
    assert made[0] == {"prompt": "Add\n\n2, 3", "answer": "5"}


def test_preference_texts_become_messages():
    rows = Dataset.from_dict({"prompt": ["p"], "chosen": ["good"], "rejected": ["bad"]})
    made = aidp.convert_chat(rows, source="preference", target="preference", system="s")
    assert made[0]["prompt"][0] == {"role": "system", "content": "s"}
    assert made[0]["rejected"] == [{"role": "assistant", "content": "bad"}]


def test_a_row_that_does_not_fit_is_named():
    turns = [[{"from": "human", "value": "x"}], [{"from": "alien", "value": "x"}]]
    with pytest.raises(AidpError, match="'alien'") as caught:
        aidp.convert_chat(Dataset.from_dict({"conversations": turns}), source="sharegpt")
    assert caught.value.row == 1
    with pytest.raises(AidpError, match="one of user") as caught:
        aidp.convert_chat(
            Dataset.from_dict({"conversations": turns[:1]}), source="sharegpt", target="prompt"
        )
    assert caught.value.row == 0
    with pytest.raises(AidpError, match="pairs stay pairs"):
        aidp.convert_chat(pairs(), target="preference")


def says(*turns: tuple[str, str]) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in turns]


def test_invalid_conversations_leave_with_their_fault():
    rows = Dataset.from_dict(
        {
            "messages": [
                says(("system", "s"), ("user", "a"), ("assistant", "b")),
                [],
                says(("robot", "a"), ("assistant", "b")),
                says(("user", " "), ("assistant", "b")),
                says(("user", "a"), ("system", "s"), ("assistant", "b")),
                says(("user", "a"), ("user", "b"), ("assistant", "c")),
                says(("assistant", "b")),
                says(("user", "a")),
            ]
        }
    )
    outcome = aidp.filter_valid_chat(rows, report=True)
    assert len(outcome.dataset) == 1
    assert outcome.account.reasons == {
        "no messages": 1,
        "unknown role": 1,
        "empty content": 1,
        "system message not first": 1,
        "user and assistant do not alternate": 2,
        "does not end with the assistant": 1,
    }


def test_preference_pairs_must_differ():
    rows = Dataset.from_dict(
        {"prompt": ["p", "p", ""], "chosen": ["a", "a", "a"], "rejected": ["a", "b", "b"]}
    )
    outcome = aidp.filter_valid_chat(rows, form="preference", report=True)
    assert outcome.dataset["rejected"][:] == ["b"]
    assert outcome.account.reasons == {"chosen equals rejected": 1, "empty content": 1}


def test_text_is_no_list_of_messages():
    with pytest.raises(AidpError, match="use convert_chat") as caught:
        aidp.filter_valid_chat(pairs(), column="prompt")
    assert caught.value.column == "prompt"
