"""Prompts: Markdown files beside this module, filled in and known by their hash."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from string import Template

__all__ = ["prompt_hash", "render"]


def render(name: str, **values: object) -> str:
    """The prompt called `name` with every `$field` filled in.

    Raises:
        KeyError: where a field of the prompt is not given.
    """
    return Template(_text(name)).substitute({key: str(value) for key, value in values.items()})


def prompt_hash(*names: str) -> str:
    """What tells versions of some prompts apart: 16 hexadecimal digits of their sha256."""
    joined = "\0".join(_text(name) for name in names)
    return hashlib.sha256(joined.encode()).hexdigest()[:16]


@cache
def _text(name: str) -> str:
    return resources.files("trex_agent.prompts").joinpath(f"{name}.md").read_text("utf-8")
