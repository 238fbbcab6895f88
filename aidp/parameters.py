"""Parameters: the keyword options of an operator, read from its signature and checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from aidp.errors import AidpError, did_you_mean

# Options that say how to compute, not what: no part of an operator's identity.
EXECUTION = frozenset(
    {
        "api_key_env",
        "backoff_seconds",
        "base_url",
        "batch_size",
        "device",
        "journal",
        "max_concurrency",
        "num_proc",
        "timeout_seconds",
    }
)


class DatasetParameter:
    """Stands for `datasets.Dataset` in signatures, so that reading them imports nothing heavy."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One keyword option.

    Attributes:
        name: Its keyword.
        annotation: Its type as written.
        kind: Its type as an object.
        default: Its default, or `inspect.Parameter.empty` when it must be given.
    """

    name: str
    annotation: str
    kind: Any
    default: Any

    @property
    def required(self) -> bool:
        """Whether a call must give it."""
        return self.default is inspect.Parameter.empty

    @property
    def takes_dataset(self) -> bool:
        """Whether its value is a dataset, which a recipe names by the id of a source."""
        return self.kind is DatasetParameter or DatasetParameter in get_args(self.kind)


def read_parameters(function: Callable[..., object]) -> tuple[Parameter, ...]:
    """The keyword-only options of `function`, in order."""
    signature = inspect.signature(function)
    hints = get_type_hints(function, localns={"Dataset": DatasetParameter, "pa": _Anything()})
    return tuple(
        Parameter(name, str(option.annotation), hints[name], option.default)
        for name, option in signature.parameters.items()
        if option.kind is inspect.Parameter.KEYWORD_ONLY
    )


def bind(
    parameters: tuple[Parameter, ...], given: Mapping[str, object], *, by_name: bool = False
) -> dict[str, Any]:
    """`given` completed with defaults, every value of the type its option asks for.

    Args:
        parameters: The options there are.
        given: Values by name.
        by_name: Whether datasets are given by the id of a source, as recipes do.

    Raises:
        AidpError: An option is unknown, missing or of the wrong type.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in given:
        if name not in known:
            raise AidpError(f"there is no parameter {name!r}; {did_you_mean(name, known)}")
    bound = {}
    for name, parameter in known.items():
        if name not in given and parameter.required:
            raise AidpError(f"needs the parameter {name!r} ({parameter.annotation})")
        value = given.get(name, parameter.default)
        named = by_name and parameter.takes_dataset and isinstance(value, str)
        if not named and not fits(value, parameter.kind):
            raise AidpError(f"parameter {name!r} is {value!r}, expected {parameter.annotation}")
        bound[name] = value
    return bound


def fits(value: object, kind: Any) -> bool:
    """Whether `value` is of the annotated type `kind`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any or kind is object:
        return True
    if kind is DatasetParameter:
        return hasattr(value, "num_rows")
    if origin in (Union, UnionType):
        return any(fits(value, choice) for choice in arguments)
    if origin is Literal:
        return value in arguments
    if origin is not None:
        return _fits_container(value, origin, arguments)
    return _fits_plain(value, kind)


def _fits_plain(value: object, kind: Any) -> bool:
    if kind is None or kind is NoneType:
        return value is None
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _fits_container(value: object, origin: Any, arguments: tuple[Any, ...]) -> bool:
    if origin is Callable or origin is getattr(Callable, "__origin__", None):
        return callable(value)
    if issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(
            fits(key, arguments[0]) and fits(item, arguments[1]) for key, item in value.items()
        )
    if issubclass(origin, Sequence):
        return (
            isinstance(value, Sequence)
            and not isinstance(value, str)
            and all(fits(item, arguments[0]) for item in value)
        )
    return isinstance(value, origin)


class _Anything:
    """Any attribute of a module that need not be imported to read a signature."""

    def __getattr__(self, name: str) -> type[object]:
        return object
