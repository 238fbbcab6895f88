from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ft_bench.budget import Budget
from ft_bench.errors import BudgetExhausted, ModelFailed
from ft_bench.lab import MeteredLab
from ft_bench.protocols import Reply, ToolCall
from ft_bench.record import Called, Usage
from ft_bench.testing.bench import Bench
from ft_bench.testing.cluster import FakeCluster
from trex_agent.llm import ask, said


class Said:
    """A model that says what it is told to, in turn."""

    name = "said"

    def __init__(self, *answers: Reply | ModelFailed) -> None:
        self.answers = list(answers)
        self.asked = 0

    def worst(self, messages: Any, tools: Any, max_tokens: int) -> Usage:
        return Usage(tokens=100 + max_tokens, usd=0.5)

    def complete(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        max_tokens: int = 4096,
    ) -> Reply:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, ModelFailed):
            raise answer
        return answer


CALL = ToolCall(id="c1", name="search", arguments='{"q": "x"}')
HELLO = Reply("hello", (CALL,), "calls", Usage(tokens=12, usd=0.25), "m-1")
LOST = ModelFailed("cut off", charged=True, transient=True)
HI = [{"role": "user", "content": "hi"}]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[MeteredLab]:
    with Bench(tmp_path).lab(FakeCluster(), Budget(tokens=500)) as lab:
        yield lab


def test_an_answer_is_the_same_from_the_model_and_from_the_journal(lab: MeteredLab) -> None:
    model = Said(HELLO)
    assert ask(lab, model, "k", HI, max_tokens=10) == HELLO
    assert ask(lab, model, "k", HI, max_tokens=10) == HELLO
    assert model.asked == 1
    assert lab.ledger.meter.spent.tokens == 12


def test_an_attempt_that_was_lost_is_charged_and_made_anew(lab: MeteredLab) -> None:
    assert ask(lab, Said(LOST, HELLO), "k", HI, max_tokens=10) == HELLO
    assert lab.ledger.meter.spent.tokens == 110 + 12


def test_three_lost_attempts_end_it(lab: MeteredLab) -> None:
    model = Said(LOST, LOST, LOST, HELLO)
    with pytest.raises(ModelFailed, match="cut off"):
        ask(lab, model, "k", HI, max_tokens=10)
    assert model.asked == 3


@pytest.mark.parametrize(("charged", "transient"), [(False, True), (True, False)])
def test_what_the_model_gave_up_on_itself_is_not_made_anew(
    lab: MeteredLab, charged: bool, transient: bool
) -> None:
    model = Said(ModelFailed("no", charged=charged, transient=transient), HELLO)
    with pytest.raises(ModelFailed):
        ask(lab, model, "k", HI, max_tokens=10)
    assert model.asked == 1


def test_the_budget_ends_between_attempts(lab: MeteredLab) -> None:
    model = Said(LOST, HELLO)
    with pytest.raises(BudgetExhausted):
        ask(lab, model, "k", HI, max_tokens=300)
    assert model.asked == 1


def test_only_what_is_new_is_journalled(lab: MeteredLab) -> None:
    model = Said(HELLO, HELLO)
    reply = ask(lab, model, "k", HI, max_tokens=10)
    told = {"role": "tool", "tool_call_id": "c1", "content": "found"}
    ask(lab, model, "k 2", [*HI, said(reply), told], max_tokens=10)
    bodies = [body for body in lab.ledger.journal.bodies if isinstance(body, Called)]
    assert [body.value["asked"] for body in bodies] == [HI, [told]]
    assert said(reply)["tool_calls"][0]["function"] == {
        "name": "search",
        "arguments": '{"q": "x"}',
    }
