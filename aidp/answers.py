"""Answers: repairs of answer texts whose format differs from what the task asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pyarrow as pa

from aidp.effect import Effect, keeping
from aidp.errors import AidpError
from aidp.operators import operator
from aidp.schema import set_column, strings


@operator(
    each_row=True,
    summed=("rewritten",),
    example='normalise_list(data, column="answer", separators=[";", "|"], target_separator=", ")',
)
def normalise_list(
    table: pa.Table,
    *,
    column: str = "answer",
    separators: list[str],
    target_separator: str = ", ",
    aliases: Mapping[str, str] | None = None,
    allowed: list[str] | None = None,
) -> Effect:
    """Rewrite list answers into one format: same items, one separator, one name each.

    Items are stripped of white space, quotes, list brackets and bullets; empty and repeated
    items go; the order stays.

    Args:
        table: The rows.
        column: The column of answers.
        separators: What may stand between items in the rows; a line break counts too.
        target_separator: What stands between them afterwards.
        aliases: Other names of items and the name to use, compared without case.
        allowed: The only items there may be; rows with another item leave.

    Raises:
        AidpError: The column is missing or holds no text, or a separator is empty.
    """
    if not separators or "" in separators:
        raise AidpError(f"separators is {separators!r}, expected non-empty strings")
    values = strings(table, column)
    split = re.compile("|".join(re.escape(part) for part in [*separators, "\n"]))
    names = {name.casefold(): target for name, target in (aliases or {}).items()}
    rewritten = {text: _rewrite(text, split, names) for text in values.unique().to_pylist()}
    lists = [rewritten[text] for text in values.to_pylist()]
    texts = [target_separator.join(items) for items in lists]
    changed = sum(a != b for a, b in zip(texts, values.to_pylist(), strict=True))
    made = set_column(table, column, pa.array(texts, values.type))
    notes = {"rewritten": changed}
    if allowed is None:
        return Effect(table=made, notes=notes)
    import numpy as np

    known = set(allowed)
    mask = np.array([all(item in known for item in items) for items in lists], np.bool_)
    kept = keeping(mask, "item not allowed", notes=notes)
    return Effect(table=made.filter(pa.array(mask)), gone=kept.gone, notes=notes)


def _rewrite(text: str, split: re.Pattern[str], names: Mapping[str, str]) -> list[str]:
    items = (_bare(part) for part in split.split(text.strip().strip("[]")))
    return list(dict.fromkeys(names.get(item.casefold(), item) for item in items if item))


def _bare(part: str) -> str:
    """The item without quotes, brackets, bullet or number in front of it."""
    return re.sub(r"^(?:[-*\u2022]\s+|\d+[.)]\s+)", "", part.strip()).strip("\"'`[] \t")
