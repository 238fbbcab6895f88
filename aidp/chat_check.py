"""Chat check: conversations and preference pairs that can be trained on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aidp.chat import require_messages
from aidp.effect import Effect, keeping_by_reason
from aidp.messages import ROLES
from aidp.operators import operator
from aidp.schema import require

if TYPE_CHECKING:
    import pyarrow as pa

FAULTS = (
    "no messages",
    "unknown role",
    "empty content",
    "system message not first",
    "user and assistant do not alternate",
    "does not end with the assistant",
    "chosen equals rejected",
)
NO_MESSAGES, ROLE, EMPTY, SYSTEM, TURNS, END, EQUAL = range(1, len(FAULTS) + 1)


@operator(each_row=True, example='filter_valid_chat(data, form="messages")')
def filter_valid_chat(
    table: pa.Table,
    *,
    form: Literal["messages", "preference"] = "messages",
    column: str = "messages",
) -> Effect:
    """Keep conversations that a trainer can use, and say what is wrong with the others.

    Messages: known roles, no blank content, system only first, user and assistant in turns
    (tool messages may stand between), the assistant last. Preference pairs: `prompt`,
    `chosen` and `rejected`, as text or as messages, none blank, chosen unlike rejected.

    Args:
        table: The rows.
        form: What the rows are.
        column: The column of messages.

    Raises:
        AidpError: A column is missing or of another type.
    """
    if form == "messages":
        faults = [_fault(one) for one in require_messages(table, column).to_pylist()]
    else:
        for name in ("prompt", "chosen", "rejected"):
            require(table, name)
        rows = table.select(["prompt", "chosen", "rejected"]).to_pylist()
        faults = [_pair_fault(row["prompt"], row["chosen"], row["rejected"]) for row in rows]
    return keeping_by_reason(np.array(faults, np.int64), FAULTS)


def _fault(messages: Sequence[Any] | None) -> int:
    """The number of the first fault, 0 for none."""
    if not messages:
        return NO_MESSAGES
    roles = [one["role"] for one in messages]
    if any(role not in ROLES for role in roles):
        return ROLE
    if any(not (one["content"] or "").strip() for one in messages):
        return EMPTY
    if "system" in roles[1:]:
        return SYSTEM
    turns = [role for role in roles if role in ("user", "assistant")]
    if turns[:1] != ["user"] or (
        "tool" not in roles and any(a == b for a, b in itertools.pairwise(turns))
    ):
        return TURNS
    return 0 if roles[-1] == "assistant" else END


def _pair_fault(prompt: Any, chosen: Any, rejected: Any) -> int:
    if any(_blank(part) for part in (prompt, chosen, rejected)):
        return EMPTY
    return EQUAL if chosen == rejected else 0


def _blank(part: Any) -> bool:
    if isinstance(part, str):
        return not part.strip()
    return not part or any(not (one["content"] or "").strip() for one in part)
