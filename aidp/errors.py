"""AidpError: the one error of AIDP, a sentence that names operator, column and row."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class AidpError(ValueError):
    """Bad data, a bad recipe or a request that cannot be met.

    Attributes:
        operator: Name of the operator that refused, or None outside of operators.
        column: The column concerned, if one is.
        row: Zero-based position of the row concerned in the operator's input, if one is.
    """

    def __init__(
        self,
        message: str,
        *,
        operator: str | None = None,
        column: str | None = None,
        row: int | None = None,
    ) -> None:
        """Keep the sentence and where it applies."""
        super().__init__(message)
        self.message = message
        self.operator = operator
        self.column = column
        self.row = row

    def __str__(self) -> str:
        """The sentence, led by the place it is about."""
        place = [self.operator] if self.operator else []
        if self.column is not None:
            place.append(f"column {self.column!r}")
        if self.row is not None:
            place.append(f"row {self.row}")
        return f"{', '.join(place)}: {self.message}" if place else self.message

    def within(self, operator: str) -> AidpError:
        """The same error, placed in `operator` unless it already names one."""
        return AidpError(
            self.message,
            operator=self.operator or operator,
            column=self.column,
            row=self.row,
        )

    def counted_on(self, rows: int) -> AidpError:
        """The same error where the operator's input had `rows` rows before this part of it."""
        row = None if self.row is None else self.row + rows
        return AidpError(self.message, operator=self.operator, column=self.column, row=row)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The remedy of a misspelt name: the nearest known one, or all of them."""
    choices = sorted(known)
    near = get_close_matches(name, choices, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"choose one of {', '.join(choices) or '(none)'}"
