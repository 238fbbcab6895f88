"""Operator: a named, versioned function from rows to an effect on rows."""

from __future__ import annotations

import functools
import importlib
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from aidp.errors import AidpError, did_you_mean
from aidp.fingerprint import content_id, digest_json
from aidp.outcome import Outcome, account_of
from aidp.parameters import EXECUTION, Parameter, bind, read_parameters
from aidp.tables import apply_effect, dataset_of, table_of

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

    from aidp.effect import Effect

Cost = Literal["linear", "sort", "quadratic in clusters", "model calls"]

OPERATORS: Mapping[str, str] = {
    "augment_smiles": "molecules",
    "balance_classes": "blend",
    "compute_perplexity": "perplexity",
    "convert_chat": "chat",
    "decontaminate": "overlap",
    "deduplicate_by_embedding": "semantic",
    "deduplicate_by_minhash": "near",
    "deduplicate_by_text_hash": "dedup",
    "drop_conflicts": "conflicts",
    "filter_by_format": "formats",
    "filter_by_language": "language",
    "filter_by_token_length": "length",
    "filter_by_word_count": "length",
    "filter_valid_chat": "chat_check",
    "filter_valid_smiles": "molecules",
    "generate_dataset_with_llm": "synthesis",
    "generate_preference_dataset": "preferences",
    "generate_text_embeddings": "embed",
    "mix": "blend",
    "normalise_list": "answers",
    "score_dataset_with_llm": "judging",
    "score_text_quality": "quality",
    "select_by_filter": "filter",
    "select_by_random": "choose",
    "select_by_score": "choose",
    "select_diverse": "diverse",
}


@dataclass(frozen=True)
class Operator:
    """A function over Arrow rows, called with a dataset.

    Calling it checks the options, computes the effect and materialises the rows. With
    `report=True` it returns an `Outcome` instead of a `Dataset`. `max_removed` is a guard
    that every operator has: more than that share of rows leaving is an error.

    Attributes:
        name: The function's name, which is also the `op` of a recipe.
        version: Rises when the same input could give another output.
        cost: How the work grows.
        example: A call that works, for the catalogue.
        function: `(table, **options) -> Effect`.
        each_row: Whether its verdict on a row needs no other row of the same table, so that
            rows can be worked on in any batches.
        summed: Notes that add up over batches; its other notes are the same for each batch.
    """

    name: str
    version: int
    cost: Cost
    example: str
    function: Callable[..., Effect]
    each_row: bool = False
    summed: tuple[str, ...] = ()

    @functools.cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its keyword options."""
        return read_parameters(self.function)

    def bind(self, params: Mapping[str, object], *, by_name: bool = False) -> dict[str, Any]:
        """`params` completed and checked; see `aidp.parameters.bind`.

        Raises:
            AidpError: An option is unknown, missing or of the wrong type.
        """
        try:
            return bind(self.parameters, params, by_name=by_name)
        except AidpError as error:
            raise error.within(self.name) from None

    def identity(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """What decides the output apart from the rows: the options, datasets by content."""
        return {
            name: _identity_of(value) for name, value in params.items() if name not in EXECUTION
        }

    def merged_notes(self, notes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The notes on all rows, from the notes on each batch of them."""
        merged = dict(notes[0])
        for name in self.summed:
            merged[name] = _total([one[name] for one in notes])
        return merged

    def effect(self, table: pa.Table, params: Mapping[str, Any]) -> Effect:
        """What it would do to `table`, before any row is copied.

        Raises:
            AidpError: The rows cannot be worked on; the error names this operator.
        """
        if table.num_rows == 0:
            raise AidpError("the dataset is empty, expected at least one row", operator=self.name)
        try:
            return self.function(table, **params)
        except AidpError as error:
            raise error.within(self.name) from error.__cause__

    @overload
    def __call__(
        self,
        dataset: Dataset,
        *,
        report: Literal[False] = False,
        max_removed: float = 1.0,
        **params: Any,
    ) -> Dataset: ...

    @overload
    def __call__(
        self,
        dataset: Dataset,
        *,
        report: Literal[True],
        max_removed: float = 1.0,
        **params: Any,
    ) -> Outcome: ...

    def __call__(
        self, dataset: Dataset, *, report: bool = False, max_removed: float = 1.0, **params: Any
    ) -> Dataset | Outcome:
        """Apply it; see the operator's own docstring for `params`.

        Raises:
            AidpError: Bad options, bad rows, or more rows removed than allowed.
        """
        started = time.perf_counter()
        table = _table_for(self.name, dataset)
        bound = self.bind(params)
        effect = self.effect(table, bound)
        guard(self.name, effect, table.num_rows, max_removed)
        output = apply_effect(table, effect)
        mark = digest_json([self.name, self.version, plain(self.identity(bound)), _mark(dataset)])
        made = dataset_of(output, dataset, mark)
        if not report:
            return made
        account = account_of(self, bound, effect, table.num_rows, output.num_rows)
        account = replace(
            account,
            input_hash=content_id(table),
            output_hash=content_id(output),
            seconds=time.perf_counter() - started,
        )
        return Outcome(made, account, table, effect)


def operator(
    *,
    version: int = 1,
    cost: Cost = "linear",
    example: str,
    each_row: bool = False,
    summed: tuple[str, ...] = (),
) -> Callable[[Callable[..., Effect]], Operator]:
    """Make an operator of a function `(table, *, options) -> Effect`."""

    def wrap(function: Callable[..., Effect]) -> Operator:
        made = Operator(function.__name__, version, cost, example, function, each_row, summed)
        for name in ("__module__", "__qualname__", "__doc__", "__name__"):
            object.__setattr__(made, name, getattr(function, name))
        object.__setattr__(made, "__signature__", _public_signature(function))
        return made

    return wrap


def find_operator(name: str) -> Operator:
    """The operator of that name.

    Raises:
        AidpError: There is none; the sentence names the nearest.
    """
    if name not in OPERATORS:
        raise AidpError(f"there is no operator {name!r}; {did_you_mean(name, OPERATORS)}")
    found = getattr(importlib.import_module(f"aidp.{OPERATORS[name]}"), name)
    assert isinstance(found, Operator)
    return found


def guard(name: str, effect: Effect, rows: int, max_removed: float) -> None:
    """Refuse an effect that removes more than `max_removed` of `rows`.

    Raises:
        AidpError: It does.
    """
    removed = 0 if effect.gone is None else len(effect.gone.rows)
    if removed > max_removed * rows:
        assert effect.gone is not None
        raise AidpError(
            f"would remove {removed:,} of {rows:,} rows ({effect.gone.counts()}), more than "
            f"max_removed={max_removed}; relax the options or raise the guard",
            operator=name,
        )


def _table_for(name: str, dataset: Dataset) -> pa.Table:
    try:
        return table_of(dataset)
    except AidpError as error:
        raise error.within(name) from None


def _identity_of(value: Any) -> Any:
    if hasattr(value, "num_rows"):
        return {"dataset": content_id(table_of(value))}
    if isinstance(value, Mapping):
        return {k: _identity_of(v) for k, v in value.items() if k not in EXECUTION}
    if callable(value):
        return {"callable": _callable_id(value)}
    return value


def _total(values: Sequence[Any]) -> Any:
    """The sum of numbers, or of the numbers under each name."""
    if not isinstance(values[0], Mapping):
        return sum(values)
    names = dict.fromkeys(name for one in values for name in one)
    return {name: sum(one.get(name, 0) for one in values) for name in names}


def _callable_id(function: Callable[..., object]) -> str:
    """Name, code and closure of a Python function, as far as they can be told."""
    from datasets.fingerprint import Hasher

    return str(Hasher.hash(function))


def plain(value: object) -> object:
    """`value` with NumPy numbers and tuples as JSON knows them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _mark(dataset: Dataset) -> str:
    return str(getattr(dataset, "_fingerprint", ""))


def _public_signature(function: Callable[..., object]) -> inspect.Signature:
    signature = inspect.signature(function)
    options = [
        option
        for option in signature.parameters.values()
        if option.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    keyword = inspect.Parameter.KEYWORD_ONLY
    first = inspect.Parameter("dataset", inspect.Parameter.POSITIONAL_ONLY, annotation="Dataset")
    report = inspect.Parameter("report", keyword, default=False, annotation="bool")
    removed = inspect.Parameter("max_removed", keyword, default=1.0, annotation="float")
    return signature.replace(
        parameters=[first, *options, report, removed], return_annotation="Dataset"
    )
