"""Templates: the prompts of this package, Markdown files filled with the texts of a row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

from aidp.errors import AidpError, did_you_mean
from aidp.fingerprint import digest_json


@cache
def template(name: str) -> str:
    """The text of `prompts/<name>.md`."""
    return (resources.files("aidp.llm") / "prompts" / f"{name}.md").read_text(encoding="utf-8")


def template_id(text: str) -> str:
    """A digest of a template, for the lineage."""
    return digest_json(text)[:12]


def fill(text: str, values: Mapping[str, object]) -> str:
    """`text` with every `{name}` replaced once; values are not searched for names again.

    Raises:
        AidpError: A name has no value.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in values:
            raise AidpError(f"the template names {{{name}}}; {did_you_mean(name, values)}")
        return str(values[name])

    return re.sub(r"\{(\w+)\}", value, text)
