"""Judging: scores of rows, or preferences between two answers, by a language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from aidp.effect import Effect
from aidp.errors import AidpError
from aidp.llm.options import LlmOptions, read_options
from aidp.llm.pool import ask_all
from aidp.llm.request import Reply, Request
from aidp.llm.structured import read_json, reply_fault
from aidp.llm.templates import fill, template, template_id
from aidp.operators import operator
from aidp.schema import set_column, text_list

if TYPE_CHECKING:
    import pyarrow as pa

RUBRIC = "The answer is correct, complete, follows the request exactly and is clearly written."
WINNER_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["winner"],
    "properties": {"winner": {"type": "string", "enum": ["A", "B", "tie"]}},
}


@operator(
    cost="model calls",
    example='score_dataset_with_llm(data, llm={"model": "m", "base_url": "http://localhost:8000/v1"})',
)
def score_dataset_with_llm(
    table: pa.Table,
    *,
    llm: Mapping[str, object],
    mode: Literal["rubric", "pairwise"] = "rubric",
    prompt: str = "prompt",
    answer: str = "answer",
    other: str = "other",
    rubric: str = RUBRIC,
    low: int = 1,
    high: int = 10,
    output: str = "llm_score",
) -> Effect:
    """Add a score by a language model that judges each row.

    `rubric` asks for a number from `low` to `high`. `pairwise` compares `answer` with
    `other` twice, the second time in the other order: 1 when `answer` wins both times, -1
    when `other` does, 0 when the model says tie or contradicts itself. A row that cannot be
    judged gets null, and `<output>_error` says why.

    Args:
        table: The rows.
        llm: The model and limits: model, base_url, temperature, max_tokens, max_concurrency,
            retries, budget_tokens, budget_usd with both prices, journal (see LlmOptions).
        mode: How to judge.
        prompt: The column that asks.
        answer: The column that answers.
        other: The column of the other answer, for `pairwise`.
        rubric: What counts, in words.
        low: The worst score.
        high: The best score.
        output: The new column.

    Raises:
        AidpError: A column is missing or holds no text, an `llm` option is wrong, or no
            request can work.
    """
    options = read_options({"temperature": 0.0, **llm})
    if low >= high:
        raise AidpError(f"low is {low} and high {high}, expected low < high")
    asked, first = text_list(table, prompt), text_list(table, answer)
    if mode == "rubric":
        scores, notes = judge_pairs(options, asked, first, rubric, low, high)
    else:
        second = text_list(table, other)
        scores, notes = _compare(options, list(zip(asked, first, second, strict=True)), rubric)
    return _scored(table, output, scores, notes)


Judgement = tuple[float | None, str | None]


def judge_pairs(
    options: LlmOptions, prompts: list[str], answers: list[str], rubric: str, low: int, high: int
) -> tuple[list[Judgement], dict[str, Any]]:
    """A score, or the reason why there is none, for each prompt and answer; and notes."""
    schema = {
        "type": "object",
        "required": ["score"],
        "properties": {"score": {"type": "number", "minimum": low, "maximum": high}},
    }
    text = template("judge")
    values = {"rubric": rubric, "low": low, "high": high}
    requests = [
        ask_for(options, fill(text, {**values, "prompt": asked, "answer": said}))
        for asked, said in zip(prompts, answers, strict=True)
    ]
    replies, notes = ask_all(options, requests, lambda reply: reply_fault(reply, schema))
    judged = [_judged(reply) for reply in replies]
    return judged, {**notes, "template": template_id(text)}


def ask_for(options: LlmOptions, text: str, sample: int = 0) -> Request:
    """One user message to the model of `options`."""
    return Request(options.model, ({"role": "user", "content": text},), options.sampling, sample)


def _judged(reply: Reply) -> Judgement:
    if reply.error is not None:
        return None, reply.error
    return float(read_json(reply.content)["score"]), None


def _compare(
    options: LlmOptions, triples: list[tuple[str, str, str]], rubric: str
) -> tuple[list[Judgement], dict[str, Any]]:
    """Each pair in both orders, so that a liking for one place cancels out."""
    text = template("pairwise")
    requests = []
    for asked, one, two in triples:
        for first, second in ((one, two), (two, one)):
            values = {"rubric": rubric, "prompt": asked, "first": first, "second": second}
            requests.append(ask_for(options, fill(text, values)))
    replies, notes = ask_all(options, requests, lambda reply: reply_fault(reply, WINNER_SCHEMA))
    judged = [
        _agreed(forward, backward)
        for forward, backward in zip(replies[::2], replies[1::2], strict=True)
    ]
    swayed = sum(
        forward.error is None
        and backward.error is None
        and _winner(forward) == _winner(backward) != "tie"
        for forward, backward in zip(replies[::2], replies[1::2], strict=True)
    )
    return judged, {**notes, "swayed_by_order": swayed, "template": template_id(text)}


def _agreed(forward: Reply, backward: Reply) -> Judgement:
    error = forward.error or backward.error
    if error is not None:
        return None, error
    winners = _winner(forward), _winner(backward)
    return {("A", "B"): 1.0, ("B", "A"): -1.0}.get(winners, 0.0), None


def _winner(reply: Reply) -> str:
    return str(read_json(reply.content)["winner"])


def _scored(table: pa.Table, output: str, scores: list[Judgement], notes: dict[str, Any]) -> Effect:
    import pyarrow as pa

    made = set_column(table, output, pa.array([score for score, _ in scores], pa.float64()))
    made = set_column(
        made, f"{output}_error", pa.array([error for _, error in scores], pa.string())
    )
    return Effect(table=made, failed=sum(score is None for score, _ in scores), notes=notes)
