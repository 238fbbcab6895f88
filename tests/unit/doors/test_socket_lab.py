"""The Lab's socket: the verbs, and everything that a hostile program may send."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ft_bench.budget import Budget
from ft_bench.client import RemoteLab
from ft_bench.doors.socket_lab import SocketLab
from ft_bench.errors import (
    BudgetExhausted,
    JobFailed,
    MessageRefused,
    ModelFailed,
    PlanInvalid,
    PrerequisiteError,
    TokenRefused,
    UsageError,
)
from ft_bench.integrity import is_void
from ft_bench.job import TrainJob
from ft_bench.lab import MeteredLab
from ft_bench.protocols import LLM, Reply, ToolCall
from ft_bench.record import Diagnosis, Flagged, Usage
from ft_bench.testing.bench import Bench
from ft_bench.testing.cluster import FakeCluster
from ft_bench.testing.records import plan
from ft_bench.wire import MAX_MESSAGE, Line, address


class Served:
    """A Lab behind its socket."""

    def __init__(self, lab: MeteredLab, cluster: FakeCluster, llm: LLM | None = None) -> None:
        self.lab, self.cluster = lab, cluster
        self.server = SocketLab(lab, lab.brief.workspace / "lab.sock", llm=llm)
        self.server.start()
        self.remote = RemoteLab(self.server.path, self.server.token)

    def stop(self) -> None:
        self.remote.close()
        self.server.stop()

    def ask(self, verb: str, **args: Any) -> Any:
        line = Line(self.server.path, self.server.token)
        try:
            return line.ask(verb, args)
        finally:
            line.close()

    def raw(self) -> socket.socket:
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        folder = os.open(self.server.path.parent, os.O_RDONLY)
        stream.connect(f"/proc/self/fd/{folder}/{self.server.path.name}")
        os.close(folder)
        return stream

    def flags(self) -> list[str]:
        return [b.name for b in self.lab.ledger.journal.bodies if isinstance(b, Flagged)]


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster(slots=2)


@pytest.fixture
def served(tmp_path: Path, cluster: FakeCluster) -> Iterator[Served]:
    with Bench(tmp_path).lab(cluster, Budget(iterations=2, device_seconds=60.0)) as lab:
        served = Served(lab, cluster)
        yield served
        served.stop()


def answer_to(stream: socket.socket, data: bytes) -> dict[str, Any]:
    stream.sendall(data)
    return _read(stream)


def _read(stream: socket.socket) -> dict[str, Any]:
    stream.settimeout(20)
    held = b""
    while not held.endswith(b"\n"):
        piece = stream.recv(1 << 16)
        if not piece:
            break
        held += piece
    found: dict[str, Any] = json.loads(held)
    return found


def _node_of(remote: RemoteLab) -> str:
    """A first node with one trained and scored variant; the model's name."""
    made = plan(3e-4)
    node = remote.propose(None, made)
    built = remote.build(node, made.recipe)
    model = remote.train(node, 0, built.dataset).model
    remote.evaluate(model)
    return model


def test_the_verbs_are_those_of_the_lab(served: Served) -> None:
    remote, lab = served.remote, served.lab
    lab.evaluate("base")
    model = _node_of(remote)
    remote.conclude(0, Diagnosis(verdict="baseline", text="a first look"))
    remote.submit(model, "the only one")
    assert remote.brief == lab.brief
    assert remote.tree == lab.tree
    assert remote.remaining() == lab.remaining()
    assert remote.items(model) == lab.items(model)
    assert remote.probability_better(model, "base") == lab.probability_better(model, "base")
    assert lab.submitted is not None
    assert lab.submitted.model == model


def test_an_answer_is_journalled_once(served: Served) -> None:
    model = _node_of(served.remote)
    events = len(served.lab.ledger.journal.events)
    again = RemoteLab(served.server.path, served.server.token)
    _node_of(again)
    again.close()
    assert len(served.lab.ledger.journal.events) == events
    assert served.cluster.trainings == {"000/v0": 1}
    assert model == "n0v0"


def test_a_decision_is_made_once(served: Served) -> None:
    assert served.remote.agree("choice", lambda: [1, 2]) == [1, 2]
    assert served.remote.agree("choice", lambda: [3]) == [1, 2]
    assert served.ask("agree", key="choice", value=4, decide=True)["value"] == [1, 2]


def test_outside_work_is_reserved_and_settled(served: Served) -> None:
    made: list[int] = []

    def make() -> tuple[Any, Usage]:
        made.append(1)
        return {"text": "hello"}, Usage(tokens=7)

    for _ in range(2):
        assert served.remote.call("ask", Usage(tokens=10), make) == {"text": "hello"}
    assert made == [1]
    assert served.lab.ledger.meter.spent.tokens == 7


def test_a_call_that_is_left_is_charged_in_full(served: Served) -> None:
    args = {"key": "k", "reserve": {"tokens": 10}}
    stream = served.raw()
    request = {"token": served.server.token, "verb": "call", "args": args}
    assert answer_to(stream, json.dumps(request).encode() + b"\n")["value"] == {"known": False}
    stream.close()
    until = time.monotonic() + 10
    while served.lab.ledger.meter.spent.tokens == 0 and time.monotonic() < until:
        time.sleep(0.01)
    assert served.lab.ledger.meter.spent.tokens == 10

    def silent() -> tuple[Any, Usage]:
        raise ModelFailed("nobody answers", charged=False, transient=True)

    with pytest.raises(ModelFailed):
        served.remote.call("other", Usage(tokens=10), silent)
    until = time.monotonic() + 10
    while served.server.model_failure is None and time.monotonic() < until:
        time.sleep(0.01)
    assert served.lab.ledger.meter.spent.tokens == 10
    assert served.server.fatal is None


class Echo:
    """A language model that repeats what it was told, for ten tokens."""

    name, priced = "echo", True

    def worst(self, messages: Any, tools: Any, max_tokens: int) -> Usage:
        return Usage(tokens=10 + max_tokens)

    def complete(self, messages: Any, *, tools: Any = (), max_tokens: int = 4096) -> Reply:
        said = str(messages[-1]["content"])
        return Reply(said, (ToolCall("1", "look", "{}"),), "stop", Usage(tokens=10), "echo-1")


def test_a_model_in_the_harness_is_asked_within_a_call(tmp_path: Path) -> None:
    with Bench(tmp_path).lab(FakeCluster(), Budget(tokens=100)) as lab:
        served = Served(lab, FakeCluster(), Echo())
        model = served.remote.model()
        assert model is not None
        assert (model.name, model.priced) == ("echo", True)
        asked = [{"role": "user", "content": "hello"}]
        reserve = model.worst(asked, (), 5)
        assert reserve.tokens == 15

        def make() -> tuple[Any, Usage]:
            reply = model.complete(asked, max_tokens=5)
            assert reply.calls == (ToolCall("1", "look", "{}"),)
            return reply.text, Usage(tokens=1)  # what a program says does not count for less

        assert served.remote.call("greet", reserve, make) == "hello"
        assert lab.ledger.meter.spent.tokens == 10
        with pytest.raises(UsageError, match="is not open"):
            model.complete(asked, max_tokens=5)
        served.stop()


def test_a_run_without_a_model_says_so(served: Served) -> None:
    assert served.remote.model() is None
    with pytest.raises(PrerequisiteError, match="--backend"):
        served.ask("worst", messages=[])


def test_two_clients_that_ask_for_the_same_training_get_one(tmp_path: Path) -> None:
    begun = threading.Event()

    def slow(job: object) -> None:
        if isinstance(job, TrainJob):
            begun.set()
            time.sleep(0.3)

    cluster = FakeCluster(slots=2, midway=slow)
    with Bench(tmp_path).lab(cluster, Budget(iterations=2)) as lab:
        served = Served(lab, cluster)
        made = plan(3e-4)
        built = served.remote.build(served.remote.propose(None, made), made.recipe)
        found: list[Any] = []

        def train() -> None:
            found.append(served.ask("train", node=0, variant=0, dataset=built.dataset))

        threads = [threading.Thread(target=train) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert begun.wait(10)
        assert served.ask("budget")["iterations"] == 2  # others are served meanwhile
        for thread in threads:
            thread.join()
        served.stop()
    assert cluster.trainings == {"000/v0": 1}
    assert found[0] == found[1] == found[2]


def test_errors_arrive_as_what_they_are(served: Served) -> None:
    remote = served.remote
    with pytest.raises(UsageError, match="no trained model"):
        remote.evaluate("n7v0")
    with pytest.raises(PlanInvalid, match="does not fit"):
        remote.propose(3, plan())
    with pytest.raises(UsageError, match=r"did you mean 'propose'"):
        served.ask("propse")
    with pytest.raises(MessageRefused, match=r"expected model"):
        served.ask("evaluate", modle="base")
    with pytest.raises(PlanInvalid, match="strategy"):
        served.ask("propose", plan={"strategy": "win", "objective": "x", "variants": [{}]})
    assert served.flags() == ["malformed-messages"]  # of the unknown verb, and of it alone


def test_a_refusal_of_the_budget_names_its_limit(served: Served) -> None:
    made = plan(3e-4)
    for number in range(3):
        served.remote.propose(0 if number else None, plan(1e-4 * (number + 1), objective="x"))
    with pytest.raises(BudgetExhausted, match="iteration") as caught:
        served.remote.propose(0, plan(9e-4))
    assert caught.value.limit == "iterations"
    assert made is not None


def test_a_failed_job_keeps_its_kind(tmp_path: Path) -> None:
    cluster = FakeCluster(fails=lambda job: "OOM" if isinstance(job, TrainJob) else None)
    with Bench(tmp_path).lab(cluster, Budget(iterations=2)) as lab:
        served = Served(lab, cluster)
        with pytest.raises(JobFailed) as caught:
            _node_of(served.remote)
        assert caught.value.kind == "OOM"
        assert served.server.fatal is None
        served.stop()


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"\n", "no JSON"),
        (b"{not json\n", "no JSON"),
        (b"[1, 2]\n", "no JSON object"),
        (b"\xff\xfe\x00\n", "no JSON"),
        (b"[" * 200_000 + b"\n", "no JSON"),
        (b'{"verb": ' + b'"a"' * 10 + b"}\n", "no JSON"),
    ],
)
def test_a_malformed_message_gets_one_clear_error(served: Served, sent: bytes, words: str) -> None:
    stream = served.raw()
    answer = answer_to(stream, sent)
    assert answer["ok"] is False
    assert answer["error"]["kind"] == "MessageRefused"
    assert answer["error"]["exit_code"] == 2
    assert words in answer["error"]["message"]
    good = {"token": served.server.token, "verb": "budget"}
    assert answer_to(stream, json.dumps(good).encode() + b"\n")["ok"]
    stream.close()
    assert served.flags() == ["malformed-messages"]


@pytest.mark.parametrize("token", ["", None, 5, ["a"], {}])
def test_a_message_without_a_token_is_malformed_and_no_theft(served: Served, token: object) -> None:
    stream = served.raw()
    for message in ({"token": token, "verb": "brief"}, {"verb": "brief"}):
        answer = answer_to(stream, json.dumps(message).encode() + b"\n")
        assert (answer["ok"], answer["error"]["kind"]) == (False, "MessageRefused")
        assert "FT_BENCH_TOKEN" in answer["error"]["message"]
    good = {"token": served.server.token, "verb": "budget"}
    assert answer_to(stream, json.dumps(good).encode() + b"\n")["ok"]
    assert served.flags() == ["malformed-messages"]
    assert not is_void(served.flags())
    stream.close()


def test_an_unknown_verb_is_shown_on_the_card(served: Served) -> None:
    with pytest.raises(UsageError, match="did you mean 'train'"):
        served.ask("trian")
    assert served.flags() == ["malformed-messages"]


@pytest.mark.parametrize("token", ["x", "x" * 43, "\ud800"])
def test_another_token_opens_nothing(served: Served, token: object) -> None:
    stream = served.raw()
    answer = answer_to(stream, json.dumps({"token": token, "verb": "brief"}).encode() + b"\n")
    assert answer["error"]["kind"] == "TokenRefused"
    assert answer["error"]["exit_code"] == 5
    assert stream.recv(1) == b""
    assert served.flags() == ["foreign-token"]
    stream.close()


def test_a_token_is_of_one_run(served: Served, tmp_path: Path) -> None:
    with Bench(tmp_path / "other").lab(FakeCluster(), Budget()) as lab:
        other = Served(lab, FakeCluster())
        line = Line(served.server.path, other.server.token)
        with pytest.raises(TokenRefused):
            line.ask("tree", {})
        line.close()
        other.stop()
    assert served.flags() == ["foreign-token"]


def test_a_message_of_100_mb_is_refused_unread(served: Served) -> None:
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stream = served.raw()
    sent = 0
    with suppress(OSError):  # the pipe breaks, or the connection is reset
        while sent < 100 << 20:
            sent += stream.send(b"x" * (1 << 20))
    answer = _read(stream)
    stream.close()
    assert sent < 2 * MAX_MESSAGE
    assert answer["error"]["why"] == "too large"
    assert served.flags() == ["malformed-messages"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
    with pytest.raises(MessageRefused, match="longer than"):
        served.ask("submit", model="base", reason="x" * (MAX_MESSAGE + 1))


def test_a_flood_of_messages_is_slowed_and_others_are_served(served: Served) -> None:
    served.server._requests.burst = served.server._requests.per_second = 50
    served.server._requests._left = 0
    stream = served.raw()
    request = json.dumps({"token": served.server.token, "verb": "budget"}).encode() + b"\n"
    refused = 0
    for _ in range(20):
        refused += not answer_to(stream, request)["ok"]
    stream.close()
    assert refused >= 1
    assert "message-flood" in served.flags()
    assert served.ask("budget")["iterations"] == 2  # waits, and gets through


def test_too_many_connections_are_turned_away(served: Served) -> None:
    streams = [served.raw() for _ in range(40)]
    time.sleep(0.2)
    answers = []
    for stream in streams[-5:]:
        answers.append(_read(stream)["error"]["kind"])
    assert set(answers) == {"MessageRefused"}
    for stream in streams:
        stream.close()
    assert "message-flood" in served.flags()
    time.sleep(0.2)
    assert served.ask("budget")["iterations"] == 2


def test_a_connection_that_hangs_up_midway_harms_nobody(served: Served) -> None:
    for data in (b"", b'{"token": "', b"x" * 1000):
        stream = served.raw()
        stream.sendall(data)
        stream.close()
    stream = served.raw()
    request = {"token": served.server.token, "verb": "evaluate", "args": {"model": "base"}}
    stream.sendall(json.dumps(request).encode() + b"\n")
    stream.close()
    assert served.ask("evaluate", model="base")["model"] == "base"
    assert served.server.fatal is None


def test_stopping_waits_for_the_work_that_was_begun(tmp_path: Path) -> None:
    begun = threading.Event()

    def slow(job: object) -> None:
        if isinstance(job, TrainJob):
            begun.set()
            time.sleep(0.3)

    cluster = FakeCluster(midway=slow)
    with Bench(tmp_path).lab(cluster, Budget(iterations=2)) as lab:
        served = Served(lab, cluster)
        made = plan(3e-4)
        built = served.remote.build(served.remote.propose(None, made), made.recipe)
        stream = served.raw()
        args = {"node": 0, "variant": 0, "dataset": built.dataset}
        request = {"token": served.server.token, "verb": "train", "args": args}
        stream.sendall(json.dumps(request).encode() + b"\n")
        assert begun.wait(10)
        served.server.stop()
        assert lab.tree.node(0).outcomes[0].trained is not None
        assert not lab.ledger.meter.open
        assert not served.server.path.exists()
        with pytest.raises(PrerequisiteError, match="its run has ended"):
            served.remote.remaining()
        stream.close()


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    with Bench(deep).lab(FakeCluster(), Budget()) as lab:
        served = Served(lab, FakeCluster())
        assert len(str(served.server.path)) > 107
        assert served.remote.brief.task == "toy"
        served.stop()


def test_the_brief_names_no_test_data(served: Served) -> None:
    served.lab.evaluate("base")
    model = _node_of(served.remote)
    answers = [
        served.ask("brief"),
        served.ask("tree"),
        served.ask("events"),
        served.ask("items", model=model),
        served.ask("budget"),
    ]
    private = str(served.lab.paths.root.parents[1] / "private")
    assert all(private not in json.dumps(answer) for answer in answers)
    ids = {item["id"] for item in answers[3]}
    test = {json.loads(line)["id"] for line in _test_rows(served)}
    assert not ids & test


def _test_rows(served: Served) -> list[str]:
    folder = served.lab.paths.root.parents[1] / "private"
    path = next(folder.rglob("test*.jsonl"))
    return path.read_text("utf-8").splitlines()


def test_a_program_outside_a_run_is_told_so() -> None:
    with pytest.raises(PrerequisiteError, match="FT_BENCH_LAB"):
        address({})
