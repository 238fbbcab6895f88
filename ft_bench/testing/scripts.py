"""Scripts: what a scripted language model says, in parts that each know one conversation.

A part answers what is its business and returns None for anything else, so that parts written by
different hands are played together: `played(trex_researcher, trex_executor)`. They read what they
are asked and answer from it, as a model would, so they work on any task.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from ft_bench.testing.scripted_llm import Answer, Asked, Script, call, say

__all__ = ["Part", "played", "told_json", "trex_executor", "trex_on_mini", "trex_researcher"]

Part = Callable[[Asked], Answer | None]

_CLEAN = '''"""Clean the pool: one row a prompt, none that another contradicts."""

import aidp

rows = aidp.load_local_dataset("train.jsonl")
rows = aidp.drop_conflicts(rows, key="prompt", answer="answer", keep="none")
rows = aidp.deduplicate_by_text_hash(rows, column="prompt")
rows.to_json("clean.jsonl")
print(len(rows), "rows kept")
'''
_OPERATORS: tuple[dict[str, Any], ...] = (
    {"op": "deduplicate_by_text_hash", "params": {"column": "prompt"}},
    {"op": "drop_conflicts", "params": {"key": "prompt", "answer": "answer", "keep": "none"}},
    {"op": "decontaminate", "params": {"column": "prompt", "against": "validation"}},
)


def played(*parts: Part) -> Script:
    """One script of several parts: the first that has an answer gives it."""

    def script(asked: Asked) -> Answer:
        for part in parts:
            answer = part(asked)
            if answer is not None:
                return answer
        return say("I have nothing to say to that.")

    return script


def told_json(data: Any) -> Answer:
    """An answer that is one JSON object, as TREX asks for it."""
    return say(f"Here it is.\n```json\n{json.dumps(data)}\n```")


def trex_researcher(asked: Asked) -> Answer | None:
    """TREX's Researcher: a research brief, tools, a strategy, a plan, names of bad cases."""
    if not asked.system.startswith("You are the Researcher of TREX"):
        return None
    question = _question(asked)
    if question.startswith("# Requirement analysis"):
        needs = {"data_needs": ["clean rows"], "constraints": ["train on the pool alone"]}
        return told_json({"goal": "answer as the pool's clean rows do", **needs})
    if question.startswith("# Bad cases"):
        found = re.findall(r"^group (\d+): (\d+) items", question, re.MULTILINE)
        names = [{"group": int(n), "name": f"kind {n}, seen {items} times"} for n, items in found]
        return told_json({"names": names})
    if question.startswith("# Node"):
        node = int(question.split()[2].rstrip(":"))
        planning = "write the plan" in question.splitlines()[0]
        return told_json(_plan(question, node)) if planning else _choice(asked, node)
    return None


def _question(asked: Asked) -> str:
    """The last thing that the program asked for."""
    return next(str(m["content"]) for m in reversed(asked.messages) if m["role"] == "user")


def _choice(asked: Asked, node: int) -> Answer:
    """Looks around first: history, cluster, papers, datasets; then a strategy by turns."""
    looks = (
        call("history", sql="SELECT id, strategy, value FROM nodes ORDER BY value DESC"),
        call("cluster_status"),
        call("arxiv_search", query="data cleaning for fine-tuning", most=2),
        call("dataset_search", query="molecules", most=2),
    )
    if asked.turn < len(looks):
        return looks[asked.turn]
    strategy = "refine_data_pipeline" if node % 2 else "adjust_training_scheme"
    return told_json(
        {
            "strategy": strategy,
            "objective": f"Round {node}: {strategy.replace('_', ' ')}",
            "hypothesis": "what the history shows to be weak is mended first",
        }
    )


def _plan(question: str, node: int) -> dict[str, Any]:
    recipe, scheme = (json.loads(text) for text in _blocks(question)[:2])
    shared = {
        "objective": f"Round {node}, as chosen",
        "hypothesis": "each variant moves the metric by itself",
        "expected_effect": {"delta": 0.01, "low": -0.01, "high": 0.05, "falsified_if": "delta < 0"},
    }
    if "`adjust_training_scheme` may touch" in question:
        factors = (2.0, 0.5, 1.5)
        rates = [float(f"{scheme['lr'] * factor * (1 + node / 100):.4g}") for factor in factors]
        return {**shared, "variants": [{"lr": rate} for rate in rates]}
    steps = list(recipe.get("steps", []))
    have = {step["op"] for step in steps}
    missing = [operator for operator in _OPERATORS if operator["op"] not in have]
    cap = int(recipe.get("max_samples") or 10_000)
    chains = [steps + missing[:1], steps + missing[:2], steps + missing]
    recipes = [
        {**recipe, "steps": chain, "max_samples": max(1, cap - 10 * node - number)}
        for number, chain in enumerate(chains)
    ]
    return {**shared, "recipe": recipes[0], "variants": [{}, *({"recipe": r} for r in recipes[1:])]}


def _blocks(text: str) -> list[str]:
    return re.findall(r"```json\s*(\{.*?\})\s*```", text, re.DOTALL)


def trex_executor(asked: Asked) -> Answer | None:
    """TREX's Executor with tools: looks, writes a pipeline, runs it, hands it over, reports."""
    if "instruct" in asked.tools:
        return call("accept", reason="every variant was scored")
    if not {"bash", "submit_job", "finish"} <= set(asked.tools):
        return None
    variants = len(re.findall(r"^- variant \d+:", _question_of_round(asked), re.MULTILINE))
    turns = (
        call("bash", command="head -n 2 train.jsonl; wc -l train.jsonl validation.jsonl"),
        call("write", path="clean.py", text=_CLEAN),
        call("bash", command="python clean.py"),
        _submitted(variants),
        call("job_status"),
        call("finish", report="A clean set for the first variant, the plan's own for the others."),
    )
    return turns[min(asked.turn, len(turns) - 1)]


def _submitted(variants: int) -> Answer:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("submit_job", {"variant": 0, "path": "clean.jsonl"}),
        *(("submit_job", {"variant": number}) for number in range(1, max(1, variants))),
    ]
    return Answer(calls=tuple(calls))


def _question_of_round(asked: Asked) -> str:
    return next((str(m["content"]) for m in asked.messages if m["role"] == "user"), "")


trex_on_mini: Script = played(trex_researcher, trex_executor)
"""All of TREX that asks a model."""
