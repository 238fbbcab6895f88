"""Structured replies: JSON out of what a model wrote, checked against a schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
}


def read_json(text: str) -> Any:
    """The JSON value in a reply: bare, in a code fence, or amid other words.

    A comma before a closing bracket is forgiven.

    Raises:
        ValueError: There is none.
    """
    for candidate in _candidates(text):
        try:
            return json.loads(candidate)
        except json.JSONDecodeError:
            continue
    raise ValueError("it holds no JSON")


def _candidates(text: str) -> Iterator[str]:
    """What of a reply may be its JSON, likeliest first."""
    yield text
    fenced = re.search(r"```(?:json)?\s*(.*?)```", text, re.DOTALL)
    for part in (fenced.group(1) if fenced else "", _bracketed(text)):
        yield part
        yield re.sub(r",\s*([}\]])", r"\1", part)


def fault(value: Any, schema: Mapping[str, Any], place: str = "the reply") -> str | None:
    """What is wrong with `value`, None when nothing is.

    Understands type, required, properties, items, enum, minimum, maximum and minLength.
    """
    kind = schema.get("type")
    if kind is not None and not _is(value, kind):
        return f"{place} is {value!r:.60}, expected {kind}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{place} is {value!r:.60}, expected one of {schema['enum']}"
    if kind in ("number", "integer"):
        return _range_fault(value, schema, place)
    if kind == "string" and len(value.strip()) < schema.get("minLength", 0):
        return f"{place} is blank"
    if kind == "array":
        found = (fault(v, schema.get("items", {}), f"{place}[{i}]") for i, v in enumerate(value))
        return next((one for one in found if one), None)
    return _object_fault(value, schema, place) if kind == "object" else None


def reply_fault(text: str, schema: Mapping[str, Any]) -> str | None:
    """What is wrong with a reply that should be JSON of `schema`."""
    try:
        return fault(read_json(text), schema)
    except ValueError as error:
        return str(error)


def _object_fault(value: Any, schema: Mapping[str, Any], place: str) -> str | None:
    for name in schema.get("required", ()):
        if name not in value:
            return f"{place} has no {name!r}"
    for name, inner in schema.get("properties", {}).items():
        found = fault(value[name], inner, repr(name)) if name in value else None
        if found:
            return found
    return None


def _range_fault(value: float, schema: Mapping[str, Any], place: str) -> str | None:
    low, high = schema.get("minimum", float("-inf")), schema.get("maximum", float("inf"))
    return None if low <= value <= high else f"{place} is {value}, expected {low} to {high}"


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool) and kind != "boolean":
        return False
    return isinstance(value, _TYPES[kind])


def _bracketed(text: str) -> str:
    """From the first opening bracket to the last closing one."""
    opening = re.search(r"[{\[]", text)
    closing = max(text.rfind("}"), text.rfind("]"))
    return text[opening.start() : closing + 1] if opening and closing >= 0 else ""
