"""Requirements: from a task in words to a research brief that every plan is held against."""

from __future__ import annotations

import json
from itertools import islice

from pydantic import BaseModel, ConfigDict, Field

from ft_bench.digest import derive_seed
from ft_bench.protocols import Brief
from trex_agent.prompts import render
from trex_agent.research.inquiry import Inquiry, Unreadable, json_in
from trex_agent.survey import Survey
from trex_agent.tools.web import fenced

__all__ = ["Requirements", "analyse"]

_ROWS = 4
_CELL = 500


class Requirements(BaseModel):
    """The goal in a sentence, what data it needs, what binds, and what will probably go wrong."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    goal: str = Field(min_length=1, max_length=1000)
    answer_format: str = Field(default="", max_length=1000)
    data_needs: tuple[str, ...] = Field(default=(), max_length=12)
    constraints: tuple[str, ...] = Field(default=(), max_length=12)
    risks: tuple[str, ...] = Field(default=(), max_length=12)


def analyse(inquiry: Inquiry, brief: Brief, survey: Survey) -> Requirements:
    """The research brief; where the model gives none, what the task itself says.

    Raises:
        BudgetExhausted, ModelFailed: from the Lab and the model.
    """
    question = render(
        "requirements",
        task=brief.task,
        brief=brief.text.strip(),
        metric=brief.metric.name,
        direction="higher" if brief.metric.direction == "max" else "lower",
        base_model=brief.base_model,
        parameters=f"{brief.base_parameters:,} parameters" if brief.base_parameters else "size n/a",
        train_rows=brief.rows["train"],
        validation_rows=brief.rows["validation"],
        max_samples=brief.max_samples,
        iterations=brief.iterations,
        survey="\n".join(f"- {issue.text}" for issue in survey.issues[:12]) or "- nothing",
        rows=fenced("the training pool", _rows(brief)),
        schema=json.dumps(Requirements.model_json_schema()),
    )
    try:
        return inquiry.answer(
            "requirements", question, lambda text: Requirements.model_validate(json_in(text))
        )
    except Unreadable:
        return Requirements(goal=brief.text.strip()[:1000] or brief.task)


def _rows(brief: Brief) -> str:
    """Some rows of the pool, the same ones each time."""
    start = derive_seed(brief.seed, "rows shown") % max(1, brief.rows["train"] - _ROWS)
    with brief.train.open(encoding="utf-8") as stream:
        lines = list(islice(stream, start, start + _ROWS))
    shown = []
    for line in lines:
        row = json.loads(line)
        cut = {k: v if len(str(v)) <= _CELL else str(v)[:_CELL] + "..." for k, v in row.items()}
        shown.append(json.dumps(cut, ensure_ascii=False))
    return "\n".join(shown)
