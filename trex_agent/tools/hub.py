"""Hub: search datasets on Hugging Face, read a card, look at rows, over its public interfaces."""

from __future__ import annotations

import json
import os
from typing import Any

from pydantic import Field

from trex_agent.tools.toolbox import Arguments, Tool, ToolRefused
from trex_agent.tools.web import fenced, get

__all__ = ["DatasetCard", "DatasetRows", "DatasetSearch", "hub_tools"]

_HUB, _VIEWER = "https://huggingface.co", "https://datasets-server.huggingface.co"
_NAME = r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$"
_CELL = 400


class DatasetSearch(Arguments):
    """Words to look for, and how many datasets to list."""

    query: str = Field(min_length=2, max_length=200)
    most: int = Field(default=5, ge=1, le=10)


class DatasetCard(Arguments):
    """A dataset by its name, owner/name."""

    name: str = Field(pattern=_NAME, max_length=200)


class DatasetRows(Arguments):
    """Where to look at rows: without config and split, at the first that there are."""

    name: str = Field(pattern=_NAME, max_length=200)
    config: str = Field(default="", max_length=100)
    split: str = Field(default="", max_length=100)
    most: int = Field(default=5, ge=1, le=20)


def hub_tools() -> list[Tool]:
    """The three; HF_ENDPOINT and TREX_DATASET_VIEWER_URL replace the addresses."""
    return [
        Tool("dataset_search", "Search datasets on Hugging Face.", DatasetSearch, _search),
        Tool("dataset_card", "Read the card of a dataset: what, licence.", DatasetCard, _card),
        Tool("dataset_rows", "Look at the first rows of a dataset.", DatasetRows, _rows),
    ]


def _hub() -> str:
    return (os.environ.get("HF_ENDPOINT") or _HUB).rstrip("/")


def _viewer() -> str:
    return (os.environ.get("TREX_DATASET_VIEWER_URL") or _VIEWER).rstrip("/")


def _headers() -> dict[str, str]:
    """The person's own token, sent to the hub alone."""
    token = os.environ.get("HF_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token and _hub() == _HUB else {}


def _json(url: str, query: dict[str, str | int]) -> Any:
    body = get("Hugging Face", url, query, _headers())
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as cause:
        raise ToolRefused("Hugging Face's answer is no JSON; go on without it.") from cause


def _search(asked: DatasetSearch) -> str:
    query: dict[str, str | int] = {"search": asked.query, "limit": asked.most, "full": "true"}
    found = _json(f"{_hub()}/api/datasets", query)
    lines = [_line(item) for item in found if isinstance(item, dict)][: asked.most]
    if not lines:
        return f"Hugging Face has no dataset for {asked.query!r}."
    return fenced("Hugging Face", "\n".join(lines))


def _line(item: dict[str, Any]) -> str:
    tags = [str(tag) for tag in item.get("tags") or ()]
    licence = next((tag[8:] for tag in tags if tag.startswith("license:")), "unknown")
    words = " ".join(str(item.get("description") or "").split())[:200]
    return (
        f"{item.get('id')} at {str(item.get('sha') or '')[:12]}, {item.get('downloads', 0)} "
        f"downloads, licence {licence}: {words}"
    )


def _card(asked: DatasetCard) -> str:
    url = f"{_hub()}/datasets/{asked.name}/raw/main/README.md"
    text = get("Hugging Face", url, headers=_headers()).decode("utf-8", "replace")
    return fenced(f"the card of {asked.name}", text)


def _rows(asked: DatasetRows) -> str:
    config, split = asked.config, asked.split
    if not (config and split):
        splits = _json(f"{_viewer()}/splits", {"dataset": asked.name}).get("splits") or []
        fits = [s for s in splits if config in ("", s.get("config"))]
        fits = [s for s in fits if split in ("", s.get("split"))]
        if not fits:
            raise ToolRefused(f"{asked.name} has no config {config!r} with split {split!r}.")
        config, split = str(fits[0]["config"]), str(fits[0]["split"])
    query: dict[str, str | int] = {"dataset": asked.name, "config": config, "split": split}
    rows = _json(f"{_viewer()}/first-rows", query).get("rows") or []
    shown = [json.dumps(_cut(item.get("row") or {}), ensure_ascii=False) for item in rows]
    head = f"{asked.name}, config {config}, split {split}:"
    return fenced(f"rows of {asked.name}", "\n".join([head, *shown[: asked.most]]))


def _cut(row: dict[str, Any]) -> dict[str, Any]:
    """A row with long cells cut."""
    return {
        str(name): value if len(str(value)) <= _CELL else str(value)[:_CELL] + "..."
        for name, value in row.items()
    }
