"""The code rung: conversations that work, fail, end and resume, on the toy task."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from script import TOKENS, Script, Step, finish, write

from ft_bench import registry
from ft_bench.budget import Budget
from ft_bench.errors import BudgetExhausted
from ft_bench.lab import MeteredLab
from ft_bench.plan import DataRecipe, ExperimentPlan, Operation, Source, Variant
from ft_bench.testing.bench import Bench
from ft_bench.testing.cluster import FakeCluster, Killed
from ft_bench.testing.records import plan
from trex_agent.candidates import tried
from trex_agent.executor.code import MEMORY_TOKENS, Code
from trex_agent.executor.conversation import Bounds
from trex_agent.executor.recipe import carry_out
from trex_agent.memory import tokens_of

ROWS = [{"prompt": f"Review {n}: good film", "answer": "positive"} for n in range(20)]
ROWS += [{"prompt": f"Review {n}: bad film", "answer": "negative"} for n in range(20)]
BUILD = """
import json
rows = [json.loads(line) for line in open("train.jsonl")]
seen, kept = set(), []
for row in rows:
    if row["prompt"] not in seen and row["answer"] in ("positive", "negative"):
        seen.add(row["prompt"])
        kept.append({"prompt": row["prompt"], "answer": row["answer"]})
open("out.jsonl", "w").writelines(json.dumps(row) + "\\n" for row in kept)
print(len(rows), "->", len(kept))
"""
GOOD: list[Step] = [
    [("bash", {"command": "wc -l train.jsonl; head -c 300 train.jsonl"})],
    [("write", {"path": "build.py", "text": BUILD}), ("bash", {"command": "python build.py"})],
    [("submit_job", {"variant": 0, "path": "out.jsonl"}), ("submit_job", {"variant": 1})],
    [("job_status", {})],
    [("logs", {"variant": 0})],
    [finish("cleaned")],
]


@contextmanager
def opened(
    tmp_path: Path, cluster: FakeCluster | None = None, **limits: Any
) -> Iterator[MeteredLab]:
    with Bench(tmp_path).lab(cluster or FakeCluster(), Budget(iterations=3, **limits)) as lab:
        lab.evaluate("base")
        yield lab


def code(script: Script, *, aidp: bool = True, **bounds: int) -> Code:
    given = {"rounds": 1, "turns": 8, **bounds}
    return Code(script, registry.backend("sandbox", "bwrap")(), aidp, Bounds(**given))


def hold(lab: MeteredLab, script: Script, made: ExperimentPlan | None = None, **more: Any) -> int:
    node = lab.propose(None, made or plan(1e-4, 5e-4))
    carry_out(lab, node, run=code(script, **more))
    return node


def events(lab: MeteredLab, kind: str, start: str = "") -> list[Any]:
    return [
        body
        for body in lab.ledger.journal.bodies
        if body.kind == kind and getattr(body, "key", "").startswith(start)
    ]


def tools(lab: MeteredLab) -> list[dict[str, Any]]:
    return [body.value for body in events(lab, "called") if body.value.get("who") == "tool"]


def last(lab: MeteredLab) -> dict[str, Any]:
    value: dict[str, Any] = events(lab, "agreed", "executor 0")[-1].value
    return value


def test_a_model_cleans_the_data_and_has_it_trained(tmp_path: Path) -> None:
    script = Script(GOOD)
    with opened(tmp_path) as lab:
        hold(lab, script)
        node = lab.tree.node(0)
        first, second = node.outcomes
        assert node.status == "succeeded"
        assert [item["name"] for item in tools(lab)] == [name for step in GOOD for name, _ in step]
        assert all(item["ok"] for item in tools(lab))
        assert "236 -> 208" in tools(lab)[2]["text"] or "->" in tools(lab)[2]["text"]
        assert first.recipe.sources[0].id.startswith("written/")
        assert first.dataset
        assert first.dataset.rows < lab.brief.rows["train"]
        assert second.recipe == node.plan.recipe
        assert first.score
        assert second.score
        assert last(lab) == {
            "ended": "finished",
            "why": "",
            "report": "cleaned",
            "rounds": 1,
            "turns": len(GOOD),
            "fallback": "",
        }
        assert lab.ledger.meter.spent.tokens == TOKENS * len(GOOD) == TOKENS * len(script.asked)
        assert not events(lab, "agreed", "attempt")


def test_what_a_model_wrote_can_be_confirmed_and_built_upon(tmp_path: Path) -> None:
    """A replica trains on the written set, and a child may name it as its source."""
    with opened(tmp_path) as lab:
        hold(lab, Script(GOOD))
        written = lab.tree.node(0).outcomes[0]
        assert written.dataset
        trained = lab.train(0, 0, written.dataset.dataset, replica=1)
        assert lab.evaluate(trained.model).replica == 1
        child = ExperimentPlan(
            strategy="refine_data_pipeline",
            objective="smaller",
            recipe=written.recipe.model_copy(update={"max_samples": 50}),
            variants=(written.variant,),
        )
        best = lab.tree.node(0).best()
        assert best is not None
        if best.index == 0:
            built = lab.build(lab.propose(0, child), child.recipe)
            assert built.rows == 50


def test_a_plan_whose_data_was_written_is_not_proposed_again(tmp_path: Path) -> None:
    """What counts as tried is the plan, not only the recipe that came out of it."""
    turns: list[Step] = [
        [write("a.jsonl", ROWS), ("submit_job", {"variant": 0, "path": "a.jsonl"}), finish()]
    ]
    with opened(tmp_path) as lab:
        planned = plan(1e-4)
        hold(lab, Script(turns), planned)
        [(recipe, scheme)] = planned.configurations()
        known = tried(lab.tree)
        assert (recipe, scheme.scheme()) in known
        assert (lab.tree.node(0).outcomes[0].recipe, scheme.scheme()) in known


def test_wrong_calls_are_answered_in_words(tmp_path: Path) -> None:
    turns: list[Step] = [
        [
            ("bash", "{not json"),
            ("bash", {"command": ""}),
            ("bash", {"command": "x", "seconds": 1e9}),
            ("fly", {}),
            ("read", {"path": "../../run.json"}),
            ("read", {"path": "/etc/passwd"}),
            ("write", {"path": "train.jsonl", "text": "x"}),
        ],
        [
            ("submit_job", {"variant": 7}),
            ("submit_job", {"variant": 0, "path": "nothing.jsonl"}),
            write("empty.jsonl", []),
            ("submit_job", {"variant": 0, "path": "empty.jsonl"}),
            write("odd.jsonl", [{"prompt": "a"}]),
            ("submit_job", {"variant": 0, "path": "odd.jsonl"}),
            ("logs", {"variant": 9}),
        ],
        [write("ok.jsonl", ROWS), ("submit_job", {"variant": 0, "path": "ok.jsonl"}), finish()],
    ]
    with opened(tmp_path) as lab:
        hold(lab, Script(turns))
        wrong = [item["text"] for item in tools(lab) if not item["ok"]]
        said = [
            "Invalid JSON",
            "at least 1 character",
            "less than or equal to 600",
            "there is no tool 'fly'",
            "climbs",
            "outside of the workspace",
            "links are not followed",
            "there is no variant 7",
            "No such file",
            "holds no row",
            "line 1 is no object",
            "there is no variant 9",
        ]
        assert [part for text, part in zip(wrong, said, strict=True) if part not in text] == []
        tried = [body.value for body in events(lab, "agreed", "attempt")]
        assert [item["target"] for item in tried] == [
            "../../run.json",
            "/etc/passwd",
            "train.jsonl",
        ]
        assert lab.tree.node(0).outcomes[0].score is not None
        assert lab.tree.node(0).outcomes[1].trained is None


def test_arguments_that_are_no_json_are_not_sent_back(tmp_path: Path) -> None:
    script = Script([[("bash", "{not json")], [finish()]])
    with opened(tmp_path) as lab:
        hold(lab, script)
    sent = [m["tool_calls"] for m in script.asked[-1] if m.get("tool_calls")]
    assert [json.loads(call["function"]["arguments"]) for calls in sent for call in calls] == [{}]


def test_validation_rows_are_not_trained_on(tmp_path: Path) -> None:
    turns: list[Step] = [
        [("submit_job", {"variant": 0, "path": "validation.jsonl"})],
        [finish()],
    ]
    with opened(tmp_path) as lab:
        hold(lab, Script(turns))
        assert "DATA_LEAK" in tools(lab)[0]["text"]
        assert events(lab, "agreed", "attempt")[0].value["kind"] == "leak"
        assert all(o.recipe.sources[0].id == "train" for o in lab.tree.node(0).outcomes)


def test_more_rows_than_the_cap_are_refused(tmp_path: Path) -> None:
    turns: list[Step] = [
        [write("a.jsonl", ROWS), ("submit_job", {"variant": 0, "path": "a.jsonl"}), finish()]
    ]
    with opened(tmp_path, samples=39) as lab:
        hold(lab, Script(turns), plan(1e-4, recipe=DataRecipe(max_samples=30)))
        assert "more than 39 rows" in tools(lab)[1]["text"]


@pytest.mark.parametrize(
    ("turns", "why"),
    [
        (["I would rather talk."], "called no tool in 3 replies"),
        (["I refuse this."], "refused 2 times"),
        ([[("bash", {"command": "true"})]], "8 turns of round 1 ended without finish"),
    ],
)
def test_a_conversation_that_fails_falls_back_to_the_plans_recipe(
    tmp_path: Path, turns: list[Step], why: str
) -> None:
    with opened(tmp_path) as lab:
        hold(lab, Script(turns))
        end = last(lab)
        assert (end["ended"], end["fallback"]) == ("gave up", "recipe")
        assert why in end["why"]
        assert all(outcome.score for outcome in lab.tree.node(0).outcomes)


def test_a_node_without_any_data_ends_as_given_up(tmp_path: Path) -> None:
    missing = DataRecipe(sources=(Source(id="to-be-written.jsonl"),))
    with opened(tmp_path) as lab:
        hold(lab, Script(["I would rather talk."]), plan(1e-4, recipe=missing))
        node = lab.tree.node(0)
        assert node.status == "failed"
        assert [failure.failure for failure in node.failures()] == ["EXECUTOR_GAVE_UP"]
        assert "called no tool" in node.failures()[0].cause


def test_the_tokens_of_a_conversation_are_bounded(tmp_path: Path) -> None:
    script = Script([[("bash", {"command": "true"})]])
    with opened(tmp_path) as lab:
        hold(lab, script, tokens=3 * TOKENS)
        assert len(script.asked) == 3
        assert "300 tokens" in last(lab)["why"]


def test_the_budget_ends_in_the_middle_of_a_conversation(tmp_path: Path) -> None:
    script = Script(GOOD)
    with opened(tmp_path, tokens=4 * TOKENS) as lab:
        node = lab.propose(None, plan(1e-4, 5e-4))
        with pytest.raises(BudgetExhausted, match="tokens"):
            carry_out(lab, node, run=code(script))
        assert lab.tree.node(0).status == "failed"
        assert lab.ledger.meter.spent.tokens <= 4 * TOKENS


def test_the_researcher_gives_a_second_instruction(tmp_path: Path) -> None:
    turns: list[Step] = [
        [("submit_job", {"variant": 0})],
        [finish("one of two")],
        [("submit_job", {"variant": 1})],
        [finish("both")],
    ]
    script = Script(turns, review=(("instruct", {"text": "Train variant 1, too."}),))
    with opened(tmp_path) as lab:
        hold(lab, script, rounds=2)
        assert all(outcome.score for outcome in lab.tree.node(0).outcomes)
        opening = events(lab, "agreed", "executor 0.2")[0].value
        assert opening == {"who": "researcher", "text": "Train variant 1, too."}
        assert last(lab)["rounds"] == 2
        report = script.asked[2][1]["content"]
        assert "one of two" in report
        assert "variant 1: open" in report


def test_a_dataset_that_cannot_be_built_can_be_replaced_by_a_file(tmp_path: Path) -> None:
    empty = Operation(op="select_by_filter", params={"where": "length(prompt) > 99999"})
    turns: list[Step] = [
        [("submit_job", {"variant": 0})],
        [write("a.jsonl", ROWS), ("submit_job", {"variant": 0, "path": "a.jsonl"}), finish()],
    ]
    made = ExperimentPlan(
        strategy="establish_baseline",
        objective="x",
        recipe=DataRecipe(steps=(empty,)),
        variants=(Variant(),),
    )
    with opened(tmp_path) as lab:
        hold(lab, Script(turns), made)
        assert "DATA_EMPTY" in tools(lab)[0]["text"]
        outcome = lab.tree.node(0).outcomes[0]
        assert outcome.score is not None
        assert outcome.failure is None


@pytest.mark.parametrize("aidp", [True, False])
def test_aidp_is_there_or_not_in_prompt_and_sandbox(tmp_path: Path, aidp: bool) -> None:
    probe = "python -c 'import aidp; print(len(aidp.catalogue()), \"operators\")'; python -c "
    probe += "'import datasets; print(\"datasets\", datasets.__version__)'"
    script = Script([[("bash", {"command": probe})], [("submit_job", {"variant": 0})], [finish()]])
    step = Operation(op="deduplicate_by_text_hash", params={"column": "prompt"})
    with opened(tmp_path) as lab:
        hold(lab, script, plan(1e-4, recipe=DataRecipe(steps=(step,))), aidp=aidp)
        found = tools(lab)[0]["text"]
        system = script.asked[0][0]["content"]
        assert "datasets " in found
        assert ("operators" in found) is aidp
        assert ("AIDP is switched off" in found) is not aidp
        assert ("deduplicate_by_minhash" in system) is aidp
        assert tools(lab)[1]["ok"] is aidp
        kinds = [failure.failure for failure in lab.tree.node(0).failures()]
        assert kinds == ([] if aidp else ["PLAN_INVALID"])


def test_an_instruction_shows_what_the_tree_knows(tmp_path: Path) -> None:
    """The memory at the parent, within the Executor's share, and kept with the node."""
    script = Script([[("submit_job", {"variant": 0})], [finish()]])
    with opened(tmp_path) as lab:
        carry_out(lab, lab.propose(None, plan(1e-4)), run=code(script))
        carry_out(lab, lab.propose(0, child(2e-4, "an earlier try")), run=code(script))
        carry_out(lab, lab.propose(0, child(3e-4, "the node itself")), run=code(script))
        root, _, last = (
            events(lab, "agreed", f"executor {n}.1")[0].value["text"] for n in range(3)
        )
        assert "Nothing yet: this is the first node." in root
        kept = (lab.paths.node(2) / "executor_context.md").read_text("utf-8")
        assert kept in last
        assert "## From the root to the parent" in kept
        assert "an earlier try" in kept
        assert "the node itself" not in kept
        assert tokens_of(kept) <= MEMORY_TOKENS
        assert not (lab.paths.node(0) / "executor_context.md").exists()


def child(lr: float, objective: str) -> ExperimentPlan:
    return plan(lr, strategy="adjust_training_scheme", objective=objective)


def test_the_prompt_is_within_its_limit(tmp_path: Path) -> None:
    script = Script([[finish()]])
    with opened(tmp_path) as lab:
        hold(lab, script)
    system = script.asked[0][0]["content"]
    assert len(system) / 3.5 < 5_500
    assert "$" not in system


class Fuse:
    """Ends the process before the n-th answer."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self, number: int) -> None:
        if number == self.left:
            raise Killed


GROWING: list[Step] = [
    [("bash", {"command": "echo one >> log; cp train.jsonl a.jsonl"})],
    [("bash", {"command": "echo two >> log"}), ("bash", {"command": "wc -l < log; rm a.jsonl"})],
    [write("out.jsonl", ROWS), ("edit", {"path": "log", "old": "two", "new": "three"})],
    [("submit_job", {"variant": 0, "path": "out.jsonl"}), ("submit_job", {"variant": 1})],
    [("bash", {"command": "rm out.jsonl; cat log"}), ("job_status", {})],
    [finish("grown")],
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[dict[str, Any]]]:
    """What an undisturbed conversation comes to: the tree and the tools' outcomes."""
    with opened(tmp_path_factory.mktemp("whole")) as lab:
        hold(lab, Script(GROWING))
        return lab.tree.digest(), tools(lab)


@pytest.mark.parametrize("kill", [1, 3, 5])
def test_a_conversation_is_taken_up_where_it_stood(
    tmp_path: Path, whole: tuple[str, list[dict[str, Any]]], kill: int
) -> None:
    first, second = Script(GROWING, before=Fuse(kill)), Script(GROWING)
    with pytest.raises(Killed), opened(tmp_path) as lab:
        hold(lab, first)
    with opened(tmp_path) as lab:
        hold(lab, second)
        assert (lab.tree.digest(), tools(lab)) == whole
    assert len(first.asked) + len(second.asked) == len(GROWING)


@pytest.mark.parametrize("call", [1, 2, 4, 5, 7])
def test_a_tool_that_was_cut_short_is_called_again_as_if_never_begun(
    tmp_path: Path,
    whole: tuple[str, list[dict[str, Any]]],
    call: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process ends after the call had worked and before the journal had its outcome."""
    cut: Callable[..., Any] = _cutting(call)
    with monkeypatch.context() as patch, opened(tmp_path) as lab:
        patch.setattr(lab, "call", cut(lab.call))
        with pytest.raises(Killed):
            hold(lab, Script(GROWING))
    with opened(tmp_path) as lab:
        hold(lab, Script(GROWING))
        assert (lab.tree.digest(), tools(lab)) == whole


def _cutting(at: int) -> Callable[..., Any]:
    count = iter(range(10_000))

    def wrap(call: Callable[..., Any]) -> Callable[..., Any]:
        def cut(key: str, reserve: Any, make: Callable[[], Any], purpose: str = "") -> Any:
            def half() -> Any:
                made = make()
                if next(count) == at:
                    raise Killed
                return made

            is_tool = key.count(".") == 3
            return call(key, reserve, half if is_tool else make, purpose)

        return cut

    return wrap
