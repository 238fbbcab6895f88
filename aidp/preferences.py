"""Preferences: pairs of a better and a worse answer, made by drawing and judging several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from aidp.effect import Effect, keeping_by_reason
from aidp.errors import AidpError
from aidp.judging import RUBRIC, Judgement, ask_for, judge_pairs
from aidp.llm.options import read_options
from aidp.llm.pool import ask_all
from aidp.operators import operator
from aidp.schema import set_column, text_list

Candidate = tuple[str, float]


@operator(
    cost="model calls",
    example='generate_preference_dataset(data, candidates=4, llm={"model": "gemini/x"})',
)
def generate_preference_dataset(
    table: pa.Table,
    *,
    llm: Mapping[str, object],
    judge: Mapping[str, object] | None = None,
    prompt: str = "prompt",
    answer: str | None = None,
    candidates: int = 4,
    rubric: str = RUBRIC,
    low: int = 1,
    high: int = 10,
    margin: float = 1.0,
) -> Effect:
    """Turn each prompt into a pair of `chosen` and `rejected` answers.

    The model answers every prompt `candidates` times, a judge scores the answers by
    `rubric`, and the best and the worst make the pair; of equal scores the earlier answer
    counts as better. With `answer` the row's own answer is one of the candidates. Rows
    leave whose best and worst are less than `margin` apart, or that have fewer than two
    judged answers. The scores are kept in `chosen_score` and `rejected_score`.

    Args:
        table: The rows.
        llm: The model that answers and its limits, see `score_dataset_with_llm`.
        judge: The model that judges; None takes the same at temperature 0.
        prompt: The column that asks.
        answer: A column with an answer that competes as well.
        candidates: Answers to draw for each prompt, at least 1, or 2 without `answer`.
        rubric: What counts, in words.
        low: The worst score.
        high: The best score.
        margin: The least difference of a pair.

    Raises:
        AidpError: A column is missing or holds no text, an option is wrong, or no request
            can work.
    """
    if candidates < (1 if answer else 2) or low >= high:
        raise AidpError(f"candidates is {candidates}, expected more; or low >= high")
    options = read_options(llm)
    referee = read_options({**llm, "temperature": 0.0, **(judge or {})})
    asked = text_list(table, prompt)
    requests = [ask_for(options, text, sample=i) for text in asked for i in range(candidates)]
    replies, drawn = ask_all(options, requests)
    pool = [
        (row // candidates, reply.content)
        for row, reply in enumerate(replies)
        if reply.error is None
    ]
    if answer is not None:
        pool = sorted([*enumerate(text_list(table, answer)), *pool], key=lambda p: p[0])
    pool = list(dict.fromkeys(pool))
    scores, judged = judge_pairs(
        referee, [asked[row] for row, _ in pool], [text for _, text in pool], rubric, low, high
    )
    return _paired(table, _by_row(pool, scores, len(asked)), margin, drawn, judged)


def _by_row(
    pool: list[tuple[int, str]], scores: list[Judgement], rows: int
) -> list[list[Candidate]]:
    """The judged answers of each row, best first, ties in the order drawn."""
    ranked: list[list[Candidate]] = [[] for _ in range(rows)]
    for (row, text), (score, _) in zip(pool, scores, strict=True):
        if score is not None:
            ranked[row].append((text, score))
    return [sorted(one, key=lambda candidate: -candidate[1]) for one in ranked]


def _paired(
    table: pa.Table,
    ranked: list[list[Candidate]],
    margin: float,
    drawn: dict[str, Any],
    judged: dict[str, Any],
) -> Effect:
    codes = np.array([_fault(one, margin) for one in ranked], np.int64)
    notes = {"answers": drawn, "judge": judged}
    effect = keeping_by_reason(
        codes, ("fewer than two judged answers", "no preference"), notes=notes
    )
    pairs = [(one[0], one[-1]) for one, code in zip(ranked, codes, strict=True) if code == 0]
    made = table.filter(pa.array(codes == 0))
    for i, name in enumerate(("chosen", "rejected")):
        made = set_column(made, name, pa.array([pair[i][0] for pair in pairs], pa.string()))
        scores = pa.array([pair[i][1] for pair in pairs], pa.float64())
        made = set_column(made, f"{name}_score", scores)
    return Effect(table=made, gone=effect.gone, notes=notes)


def _fault(ranked: list[Candidate], margin: float) -> int:
    if len(ranked) < 2:
        return 1
    return 2 if ranked[0][1] - ranked[-1][1] < margin or ranked[0][0] == ranked[-1][0] else 0
