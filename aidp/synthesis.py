"""Synthesis: new rows, or a new column, written by a language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from aidp.effect import Effect
from aidp.errors import AidpError
from aidp.judging import ask_for
from aidp.llm.options import LlmOptions, read_options
from aidp.llm.pool import ask_all
from aidp.llm.request import Reply, Request
from aidp.llm.structured import read_json, reply_fault
from aidp.llm.templates import fill, template, template_id
from aidp.operators import operator
from aidp.sampling import row_keys
from aidp.schema import set_column, text_list

EXAMPLE_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["prompt", "answer"],
    "properties": {
        "prompt": {"type": "string", "minLength": 1},
        "answer": {"type": "string", "minLength": 1},
    },
}
EVOLUTIONS: tuple[str, ...] = (
    "add one constraint or requirement that changes the answer.",
    "replace a general idea by a more specific one.",
    "make it need one more step of reasoning.",
    "put the question into a realistic situation with some details that matter.",
    "ask about something rarer from the same field, at the same length.",
)


@operator(
    cost="model calls",
    example='generate_dataset_with_llm(data, mode="evolve", n=50, llm={"model": "gemini/x"})',
)
def generate_dataset_with_llm(
    table: pa.Table,
    *,
    llm: Mapping[str, object],
    mode: Literal["template", "self_instruct", "evolve"] = "self_instruct",
    n: int | None = None,
    instruction: str | None = None,
    output: str = "answer",
    prompt: str = "prompt",
    answer: str = "answer",
    examples: int = 4,
    keep: bool = True,
    seed: int = 0,
) -> Effect:
    """Write new rows, or a new column, with a language model.

    `self_instruct` shows the model `examples` rows and asks for a new one (after Wang et al.
    2023); `evolve` asks for a harder version of a row, by one of five rules (after Xu et al.
    2023); new rows follow the old ones, `generated_by` says how they were made, and what the
    model does not write is null. A malformed reply is sent back once, then given up; a new
    row whose prompt is there already is dropped. `template` fills `instruction` with each
    row's columns and writes the reply into `output`, null where it failed.

    Args:
        table: The rows.
        llm: The model and limits, see `score_dataset_with_llm`.
        mode: What to write.
        n: New rows to ask for; None asks for one for each row. Not for `template`.
        instruction: For `template`, a text with {column} names.
        output: For `template`, the column to write.
        prompt: The column that asks.
        answer: The column that answers.
        examples: Rows shown, for `self_instruct`.
        keep: Whether the old rows stay.
        seed: Chooses the rows shown and the rules.

    Raises:
        AidpError: A column is missing or holds no text, an option is wrong, no request can
            work, or nothing usable came back and the old rows do not stay.
    """
    options = read_options(llm)
    if mode == "template":
        return _filled(table, options, instruction, output)
    if n is not None and n < 1:
        raise AidpError(f"n is {n}, expected at least 1")
    rows = list(zip(text_list(table, prompt), text_list(table, answer), strict=True))
    wanted = len(rows) if n is None else n
    if mode == "self_instruct":
        requests = _instruct(options, rows, wanted, examples, seed)
    else:
        requests = _evolve(options, rows, wanted, seed)
    replies, notes = ask_all(options, requests, lambda reply: reply_fault(reply, EXAMPLE_SCHEMA))
    fresh = _fresh(replies, {asked.strip() for asked, _ in rows})
    notes |= {"asked_for": wanted, "written": len(fresh), "template": template_id(template(mode))}
    return _grown(table, fresh, (prompt, answer), mode, keep, notes)


def _instruct(
    options: LlmOptions, rows: list[tuple[str, str]], wanted: int, examples: int, seed: int
) -> list[Request]:
    text = template("self_instruct")
    requests = []
    for i in range(wanted):
        shown = np.argsort(row_keys(len(rows), seed + 1_000_003 * (i + 1)))[:examples]
        listed = "\n\n".join(
            f'{{"prompt": {rows[row][0]!r}, "answer": {rows[row][1]!r}}}' for row in shown
        )
        requests.append(ask_for(options, fill(text, {"examples": listed}), sample=i))
    return requests


def _evolve(
    options: LlmOptions, rows: list[tuple[str, str]], wanted: int, seed: int
) -> list[Request]:
    text = template("evolve")
    order = np.argsort(row_keys(len(rows), seed))
    requests = []
    for i in range(wanted):
        asked, said = rows[order[i % len(rows)]]
        rule = EVOLUTIONS[(i + seed) % len(EVOLUTIONS)]
        filled = fill(text, {"prompt": asked, "answer": said, "rule": rule})
        requests.append(ask_for(options, filled, sample=i // len(rows)))
    return requests


def _fresh(replies: list[Reply], known: set[str]) -> list[tuple[str, str]]:
    """The usable new pairs in order, each prompt once."""
    fresh = []
    for reply in replies:
        if reply.error is None:
            made = read_json(reply.content)
            if made["prompt"].strip() not in known:
                known.add(made["prompt"].strip())
                fresh.append((made["prompt"], made["answer"]))
    return fresh


def _grown(
    table: pa.Table,
    fresh: list[tuple[str, str]],
    names: tuple[str, str],
    mode: str,
    keep: bool,
    notes: dict[str, Any],
) -> Effect:
    columns = {
        field.name: pa.nulls(len(fresh), field.type)
        for field in table.schema
        if field.name not in names
    }
    for i, name in enumerate(names):
        columns[name] = pa.array([pair[i] for pair in fresh], table.schema.field(name).type)
    new = pa.table({name: columns[name] for name in table.column_names})
    new = set_column(new, "generated_by", pa.array([mode] * len(fresh), pa.string()))
    if not keep and not fresh:
        raise AidpError(f"no usable row came back of {notes['asked_for']} asked for; {notes}")
    if not keep:
        from aidp.effect import gone_rows

        left = gone_rows(np.arange(table.num_rows), "replaced by generated rows")
        return Effect(table=new, added=len(fresh), gone=left, notes=notes)
    old = table.replace_schema_metadata(None)
    if "generated_by" not in old.column_names:
        old = set_column(old, "generated_by", pa.nulls(old.num_rows, pa.string()))
    whole = pa.concat_tables([old, new.select(old.column_names)])
    return Effect(table=whole, added=len(fresh), notes=notes)


def _filled(table: pa.Table, options: LlmOptions, instruction: str | None, output: str) -> Effect:
    if instruction is None:
        raise AidpError("mode 'template' needs an instruction, a text with {column} names")
    requests = [ask_for(options, fill(instruction, row)) for row in table.to_pylist()]
    replies, notes = ask_all(options, requests)
    texts = [None if reply.error else reply.content for reply in replies]
    made = set_column(table, output, pa.array(texts, pa.string()))
    errors = pa.array([reply.error for reply in replies], pa.string())
    made = set_column(made, f"{output}_error", errors)
    notes["template"] = template_id(instruction)
    return Effect(table=made, failed=notes["failed"], notes=notes)
