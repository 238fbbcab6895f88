"""Formats: rows whose text is written as it must be."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Literal

import numpy as np

from aidp.effect import Effect, keeping
from aidp.errors import AidpError
from aidp.operators import operator
from aidp.schema import strings

if TYPE_CHECKING:
    import pyarrow as pa

Form = Literal["json", "json object", "one line", "choice", "pattern"]


@operator(
    each_row=True,
    example='filter_by_format(data, column="answer", form="choice", choices=["A", "B"])',
)
def filter_by_format(
    table: pa.Table,
    *,
    column: str = "answer",
    form: Form,
    choices: list[str] | None = None,
    pattern: str | None = None,
    keys: list[str] | None = None,
) -> Effect:
    """Keep rows whose text has the form asked for; a null has none.

    Args:
        table: The rows.
        column: The text column.
        form: `json`; `json object`; `one line`, not blank; `choice`, one of `choices` after
            stripping; `pattern`, matching as a whole.
        choices: For `choice`.
        pattern: A Python regular expression, for `pattern`.
        keys: What a `json object` must have at least.

    Raises:
        AidpError: The column is missing or holds no text, or `form` lacks what it needs.
    """
    values = strings(table, column, nulls=True)
    if form == "choice" and not choices:
        raise AidpError("form 'choice' needs choices, a list of strings")
    if form == "pattern" and pattern is None:
        raise AidpError("form 'pattern' needs a pattern")
    try:
        expression = re.compile(pattern or "")
    except re.error as error:
        raise AidpError(f"pattern {pattern!r} is no regular expression: {error}") from None
    allowed, needed = set(choices or []), set(keys or [])
    good = {
        text
        for text in values.unique().to_pylist()
        if text is not None and _has_form(text, form, allowed, expression, needed)
    }
    mask = np.fromiter((text in good for text in values.to_pylist()), np.bool_, len(values))
    return keeping(mask, f"not of form {form}")


def _has_form(
    text: str, form: Form, allowed: set[str], expression: re.Pattern[str], needed: set[str]
) -> bool:
    if form == "one line":
        return bool(text.strip()) and "\n" not in text.strip()
    if form == "choice":
        return text.strip() in allowed
    if form == "pattern":
        return expression.fullmatch(text) is not None
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return False
    return form == "json" or (isinstance(value, dict) and needed <= set(value))
