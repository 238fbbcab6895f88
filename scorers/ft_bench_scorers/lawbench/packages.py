"""Packages: the Chinese language packages that LawBench's measures need, loaded on first use."""

from __future__ import annotations

import importlib
import warnings
from functools import cache
from typing import Any

from ft_bench.errors import PrerequisiteError

__all__ = ["package"]


@cache
def package(name: str) -> Any:
    """The module called `name`; what it warns about while it loads is not passed on.

    Raises:
        PrerequisiteError: it is not installed; names the command that installs it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ModuleNotFoundError as cause:
        raise PrerequisiteError(
            f"LawBench needs the package {name!r}, which is not installed; "
            "pip install 'ft-bench[lawbench]'"
        ) from cause
