"""Outcome: the rows an operator or a recipe made, with the account of how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from aidp.errors import AidpError
from aidp.rejects import rejected_rows
from aidp.tables import dataset_of

if TYPE_CHECKING:
    from datasets import Dataset

    from aidp.effect import Effect
    from aidp.operators import Operator


@dataclass(frozen=True, slots=True)
class Account:
    """The account of rows of one operator; JSON-able by `as_dict`.

    Attributes:
        operator: Its name.
        version: Its version.
        params: Its options, datasets by content id.
        input_hash: Content id of the rows before.
        output_hash: Content id of the rows after.
        rows_in: Rows before.
        rows_out: Rows after; `rows_in + rows_added - sum(reasons.values())`.
        rows_added: Rows that no input row stands for one to one.
        rows_failed: Rows kept although their judgement failed.
        reasons: How many rows left, by reason.
        notes: What else the operator has to say.
        seconds: Wall time; no part of any hash.
        resumed: Whether the rows came from the workspace.
    """

    operator: str
    version: int
    params: Mapping[str, Any]
    rows_in: int
    rows_out: int
    rows_added: int = 0
    rows_failed: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    input_hash: str = ""
    output_hash: str = ""
    seconds: float = 0.0
    resumed: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The account as JSON-able data."""
        return asdict(self)


@dataclass(frozen=True)
class Outcome:
    """What one operator made of one dataset.

    Attributes:
        dataset: The rows after.
        account: The account of rows.
        before: The Arrow table before.
        effect: What was done to it.
    """

    dataset: Dataset
    account: Account
    before: pa.Table = field(repr=False)
    effect: Effect = field(repr=False)

    @cached_property
    def rejects(self) -> Dataset:
        """The rows that left, with `_operator`, `_step`, `_reason`, `_row` and `_kept_row`."""
        return dataset_of(rejected_rows(self.before, self.effect.gone, self.account.operator, 0))


@dataclass(frozen=True)
class RunOutcome:
    """What a recipe made of its sources.

    Attributes:
        dataset: The rows.
        lineage: JSON-able: recipe, sources, one account per recipe step, hashes.
        departures: Per recipe step its position, operator, the rows before and those that left.
    """

    dataset: Dataset
    lineage: Mapping[str, Any]
    departures: tuple[tuple[int, str, pa.Table, Any], ...] = field(repr=False, default=())

    @cached_property
    def rejects(self) -> Dataset:
        """The rows that left, with `_operator`, `_step`, `_reason`, `_row` and `_kept_row`.

        Made when first asked for. Columns that only some recipe steps had are null elsewhere.

        Raises:
            AidpError: A column changed its type within the recipe so that no table holds both.
        """
        tables = [
            rejected_rows(before, gone, operator, step)
            for step, operator, before, gone in self.departures
            if gone is not None
        ]
        if not tables:
            return dataset_of(rejected_rows(self.dataset.data.table, None, "", 0))
        try:
            return dataset_of(pa.concat_tables(tables, promote_options="permissive"))
        except pa.ArrowInvalid as error:
            raise AidpError(
                f"the rejects of the recipe cannot be put in one table: {error}"
            ) from None


def account_of(
    operator: Operator, params: Mapping[str, Any], effect: Effect, rows_in: int, rows_out: int
) -> Account:
    """The account of `effect`, hashes and time still open."""
    return Account(
        operator=operator.name,
        version=operator.version,
        params=operator.identity(params),
        rows_in=rows_in,
        rows_out=rows_out,
        rows_added=effect.added,
        rows_failed=effect.failed,
        reasons={} if effect.gone is None else effect.gone.counts(),
        notes=dict(effect.notes),
    )
