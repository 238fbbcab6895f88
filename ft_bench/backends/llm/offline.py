"""Offline: no language model; the agent's own rules propose."""

from __future__ import annotations

from collections.abc import Mapping

from ft_bench.errors import UnknownName

__all__ = ["connect"]


def connect(options: Mapping[str, str]) -> None:
    """Nothing to connect to, and nothing to configure.

    Raises:
        UnknownName: for any option.
    """
    for name in options:
        raise UnknownName("option of backend offline", name, ["(it has none)"], "leave -B out")
