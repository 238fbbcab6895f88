"""Language models over real HTTP, through litellm, against a scripted server."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ft_bench import registry
from ft_bench.budget import Budget
from ft_bench.errors import ConfigError, ModelFailed, PrerequisiteError, UnknownName, UsageError
from ft_bench.request import Homes, RunRequest, connected
from ft_bench.testing.scripted_llm import Answer, Script, Server, call, fail, say, serve

HI = [{"role": "system", "content": "You are terse."}, {"role": "user", "content": "hi"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "search",
        "description": "Search.",
        "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
    },
}


@pytest.fixture
def served() -> Iterator[Callable[[Script], Server]]:
    """A server with a script, closed at the end."""
    with serve(lambda asked: say("hello")) as server:

        def play(script: Script) -> Server:
            server.script = script
            return server

        yield play


def in_turn(*answers: Answer) -> Script:
    return lambda asked: answers[min(asked.number, len(answers) - 1)]


def model(server: Server, **options: Any) -> Any:
    given = {"model": "scripted", "base_url": server.url, "backoff": "0.01", "timeout": "5"}
    return registry.backend("llm", "local")(given | {k: str(v) for k, v in options.items()})


PRICES = {"usd_per_million_in": 2, "usd_per_million_out": 10}


def test_an_answer_with_its_tokens_and_its_price(served: Any) -> None:
    server = served(in_turn(say("hello", usage=(11, 7))))
    reply = model(server, **PRICES).complete(HI)
    assert (reply.text, reply.finish, reply.calls) == ("hello", "stop", ())
    assert reply.usage.tokens == 18
    assert reply.usage.usd == pytest.approx((11 * 2 + 7 * 10) / 1e6)
    assert server.requests[0]["messages"] == HI
    assert server.requests[0]["max_tokens"] == 4096
    assert server.keys == ["Bearer none"]


def test_tool_calls_and_their_answers(served: Any) -> None:
    server = served(in_turn(call("search", q="x"), say("done")))
    llm = model(server)
    reply = llm.complete(HI, tools=[TOOL])
    (asked,) = reply.calls
    assert (reply.finish, asked.name, asked.arguments) == ("calls", "search", '{"q": "x"}')
    told = {"role": "tool", "tool_call_id": asked.id, "content": "found"}
    function = {"name": asked.name, "arguments": asked.arguments}
    spoken = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": asked.id, "type": "function", "function": function}],
    }
    assert llm.complete([*HI, spoken, told], tools=[TOOL]).text == "done"
    assert server.requests[1]["messages"][-1]["content"] == "found"
    assert server.requests[1]["tools"][0]["function"]["name"] == "search"


def test_the_worst_is_never_less_than_what_is_used(served: Any) -> None:
    llm = model(served(in_turn(say("x"))), **PRICES)
    for text in ("hi", "分子 " * 500, "\udc80 lone", "C1=CC=CC=C1" * 300):
        messages = [{"role": "user", "content": text}]
        worst = llm.worst(messages, [TOOL], 100)
        assert worst.tokens >= len(text.encode("utf-8", "replace")) + 100
        assert worst.usd > 0
        used = llm.complete(messages, tools=[TOOL], max_tokens=100).usage
        assert used.tokens <= worst.tokens


def test_an_answer_without_usage_is_charged_as_the_worst(served: Any) -> None:
    raw = '{"choices": [{"message": {"role": "assistant", "content": "x"}}], "model": "m"}'
    llm = model(served(in_turn(Answer(raw=raw))))
    assert llm.complete(HI).usage == llm.worst(HI, (), 4096)


@pytest.mark.parametrize(
    "first",
    [fail(429, "slow down"), fail(500), fail(503)],
    ids=["429", "500", "503"],
)
def test_what_passes_and_costs_nothing_is_tried_again_and_said(
    served: Any, caplog: pytest.LogCaptureFixture, first: Answer
) -> None:
    server = served(in_turn(first, first, say("hello")))
    with caplog.at_level(logging.WARNING, "ft_bench.llm"):
        assert model(server).complete(HI).text == "hello"
    assert len(server.requests) == 3
    said = [record.getMessage() for record in caplog.records if record.name == "ft_bench.llm"]
    assert len(said) == 2
    assert "trying again in" in said[0]
    assert "(1 of 5)" in said[0]


def test_the_vendor_says_how_long_to_wait(served: Any) -> None:
    server = served(in_turn(fail(429, Retry_After="1"), say("hello")))
    started = time.monotonic()
    assert model(server).complete(HI).text == "hello"
    assert time.monotonic() - started >= 1.0


def test_it_gives_up_after_its_retries(served: Any) -> None:
    server = served(in_turn(fail(429, "slow down")))
    with pytest.raises(ModelFailed, match="slow down") as caught:
        model(server, retries=2).complete(HI)
    assert len(server.requests) == 3
    assert not caught.value.charged


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(text="half an answer " * 50, cut=True), "gave no answer"),
        (say("late", wait=3.0), "gave no answer"),
        (Answer(raw="<html>proxy</html>"), "gave no answer"),
        (Answer(raw='{"choices": []}'), "gave no answer"),
    ],
    ids=["cut", "hang", "html", "no choices"],
)
def test_what_may_have_cost_something_is_left_to_the_ledger(
    served: Any, answer: Answer, words: str
) -> None:
    server = served(in_turn(answer))
    with pytest.raises(ModelFailed, match=words) as caught:
        model(server, timeout=0.5).complete(HI)
    assert (caught.value.charged, caught.value.transient) == (True, True)
    assert len(server.requests) == 1


def test_nobody_there_costs_nothing() -> None:
    llm = registry.backend("llm", "local")(
        {"model": "m", "base_url": "http://127.0.0.1:9/v1", "retries": "1", "backoff": "0"}
    )
    with pytest.raises(ModelFailed, match="is its address right") as caught:
        llm.complete(HI)
    assert not caught.value.charged


@pytest.mark.parametrize("status", [400, 401, 404])
def test_what_will_not_pass_is_not_tried_again(served: Any, status: int) -> None:
    server = served(in_turn(fail(status, "no such thing")))
    with pytest.raises(ModelFailed, match="no such thing") as caught:
        model(server).complete(HI)
    assert len(server.requests) == 1
    assert not caught.value.charged
    assert not caught.value.transient


@pytest.mark.parametrize(
    ("answer", "finish"),
    [
        (Answer(refusal="I will not."), "refused"),
        (say("", finish="content_filter"), "refused"),
        (say("half", finish="length"), "length"),
    ],
)
def test_refusals_and_cut_texts_are_answers(served: Any, answer: Answer, finish: str) -> None:
    assert model(served(in_turn(answer))).complete(HI).finish == finish


def test_a_filter_that_answers_with_an_error_is_a_refusal(served: Any) -> None:
    text = "content_policy_violation: your request was rejected by our safety system"
    server = served(in_turn(fail(400, text)))
    assert model(server).complete(HI).finish == "refused"


def test_too_long_a_conversation_is_an_answer(served: Any) -> None:
    text = "This model's maximum context length is 8 tokens, however you requested 9"
    reply = model(served(in_turn(fail(400, text)))).complete(HI)
    assert (reply.finish, reply.usage.tokens) == ("length", 0)


def test_options_reach_the_vendor(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret")
    server = served(in_turn(say("x")))
    llm = model(server, api_key_env="MY_KEY", temperature=0.5, max_tokens=77)
    llm.complete(HI, max_tokens=10)
    assert server.keys == ["Bearer secret"]
    assert (server.requests[0]["temperature"], server.requests[0]["max_tokens"]) == (0.5, 77)


def test_a_server_with_one_model_needs_no_name(served: Any) -> None:
    llm = registry.backend("llm", "local")({"base_url": served(in_turn(say("x"))).url})
    assert llm.name == "openai/scripted"


# --- before any work ---------------------------------------------------------------------------

KEYS = ("GEMINI_API_KEY", "GOOGLE_API_KEY", "DASHSCOPE_API_KEY", "ANTHROPIC_API_KEY")


@pytest.mark.parametrize(
    ("backend", "variable"),
    [
        ("gemini", "GEMINI_API_KEY"),
        ("qwen", "DASHSCOPE_API_KEY"),
        ("claude", "ANTHROPIC_API_KEY"),
        ("openai", "OPENAI_API_KEY"),
        ("groq/llama-guard-3-8b", "GROQ_API_KEY"),
    ],
)
def test_a_missing_key_is_named(
    monkeypatch: pytest.MonkeyPatch, backend: str, variable: str
) -> None:
    for name in (*KEYS, "OPENAI_API_KEY", "GROQ_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(PrerequisiteError, match=f"{variable}.* is not set"):
        registry.backend("llm", backend)({})


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        ("gemini", "gemini/gemini-3-pro-preview"),
        ("qwen", "dashscope/qwen3-next-80b-a3b-thinking"),
        ("claude", "anthropic/claude-sonnet-4-5"),
        ("openai", "openai/gpt-5.1"),
        ("groq/llama-guard-3-8b", "groq/llama-guard-3-8b"),
    ],
)
def test_each_vendor_has_a_model(monkeypatch: pytest.MonkeyPatch, backend: str, name: str) -> None:
    for variable in (*KEYS, "OPENAI_API_KEY", "GROQ_API_KEY"):
        monkeypatch.setenv(variable, "x")
    llm = registry.backend("llm", backend)({})
    assert llm.name == name
    assert llm.priced == (backend != "gemini")
    thinks = backend in ("gemini", "qwen", "openai")
    assert (llm.worst([], (), 100).tokens > 32_768) == thinks


@pytest.mark.parametrize(
    ("backend", "options", "error", "words"),
    [
        ("local", {}, UsageError, "base_url ''"),
        ("local", {"base_ulr": "x"}, UnknownName, "did you mean 'base_url'"),
        ("local", {"timeout": "soon"}, ConfigError, "-B timeout='soon'"),
        ("local", {"usd_per_million_in": "1"}, ConfigError, "without the other"),
        ("local", {"base_url": "http://127.0.0.1:9/v1"}, PrerequisiteError, "does not say which"),
        ("nosuch/model", {}, UsageError, "no provider of model 'nosuch/model'"),
        ("gemni", {}, UnknownName, "did you mean 'gemini'"),
    ],
)
def test_a_wrong_wish_is_one_sentence(
    backend: str, options: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        registry.backend("llm", backend)(options)


def _request(tmp_path: Path, budget: Budget, **options: str) -> RunRequest:
    homes = Homes(tmp_path, tmp_path, tmp_path)
    given = {"base_url": "http://127.0.0.1:9/v1", "model": "m", **options}
    return RunRequest(
        task="mini",
        agent="trex",
        backend="local",
        homes=homes,
        budget=budget,
        backend_options=given,
    )


def test_a_limit_in_usd_needs_a_price(tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match=r"price of openai/m is unknown.*usd_per_million"):
        connected(_request(tmp_path, Budget(usd=5.0)))
    assert connected(_request(tmp_path, Budget(usd=None))) is not None
    prices = {"usd_per_million_in": "0", "usd_per_million_out": "0"}
    assert connected(_request(tmp_path, Budget(usd=5.0), **prices)) is not None


def test_prices_by_length_and_in_tiers() -> None:
    from ft_bench.backends.llm.price import price_in_table

    long = price_in_table(
        {
            "input_cost_per_token": 1e-6,
            "input_cost_per_token_above_200k_tokens": 2e-6,
            "output_cost_per_token": 4e-6,
        }
    )
    assert long is not None
    assert long.usd(1000, 100) == pytest.approx(0.0014)
    assert long.usd(300_000, 100) == pytest.approx(0.6004)
    tiers = [
        {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "range": [0, 32_000]},
        {"input_cost_per_token": 3e-6, "output_cost_per_token": 9e-6, "range": [32_000, 1e6]},
    ]
    tiered = price_in_table({"tiered_pricing": tiers})
    assert tiered is not None
    assert tiered.usd(10, 10) == pytest.approx(120e-6)
    assert price_in_table({"input_cost_per_token": 0, "output_cost_per_token": 0}) is None
    assert price_in_table({}) is None


def test_the_script_of_the_executor_writes_what_it_runs() -> None:
    from ft_bench.testing.scripted_llm import Asked
    from ft_bench.testing.scripts import trex_on_mini

    tools = [{"function": {"name": name}} for name in ("bash", "write", "submit_job", "finish")]
    messages = [{"role": "user", "content": "- variant 0: {}"}, {"role": "assistant"}]
    answer = trex_on_mini(Asked({"messages": messages, "tools": tools}, 0))
    ((tool, arguments),) = answer.calls
    assert tool == "write"
    assert isinstance(arguments, dict)
    assert arguments["path"] == "clean.py"
    compile(arguments["text"], "clean.py", "exec")
