"""Arxiv: search for papers, and read one, over arXiv's public interface."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from typing import Any

from pydantic import Field

from trex_agent.tools.toolbox import Arguments, Tool, ToolRefused
from trex_agent.tools.web import fenced, get

__all__ = ["ArxivRead", "ArxivSearch", "arxiv_tools"]

_API, _SITE = "https://export.arxiv.org", "https://arxiv.org"
_ATOM = "{http://www.w3.org/2005/Atom}"
_ID = r"^(\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7})(v\d+)?$"


class ArxivSearch(Arguments):
    """Words to look for, and how many papers to list."""

    query: str = Field(min_length=2, max_length=300)
    most: int = Field(default=5, ge=1, le=10)


class ArxivRead(Arguments):
    """A paper by its id; `full` asks for the text and not the abstract alone."""

    id: str = Field(pattern=_ID, description="for example 2106.09685")
    full: bool = False


def arxiv_tools() -> list[Tool]:
    """Both tools; TREX_ARXIV_URL replaces the address of the service."""
    return [
        Tool("arxiv_search", "Search arXiv; gives ids, titles, abstracts.", ArxivSearch, _search),
        Tool("arxiv_read", "Read the abstract or the full text of a paper.", ArxivRead, _read),
    ]


def _base(otherwise: str) -> str:
    return (os.environ.get("TREX_ARXIV_URL") or otherwise).rstrip("/")


def _search(asked: ArxivSearch) -> str:
    words = re.findall(r"\w+", asked.query)
    query: dict[str, str | int] = {
        "search_query": " AND ".join(f"all:{word}" for word in words),
        "max_results": asked.most,
        "sortBy": "relevance",
    }
    papers = _papers(get("arXiv", f"{_base(_API)}/api/query", query))
    if not papers:
        return f"arXiv has no paper on {asked.query!r}."
    return "\n\n".join(
        fenced(f"arXiv {paper['id']}", f"{paper['title']}\n{paper['summary'][:800]}")
        for paper in papers
    )


def _read(asked: ArxivRead) -> str:
    if asked.full:
        page = get("arXiv", f"{_base(_SITE)}/html/{asked.id}").decode("utf-8", "replace")
        text = _text_of(page)
        if text:
            return fenced(f"arXiv {asked.id}", text)
    papers = _papers(get("arXiv", f"{_base(_API)}/api/query", {"id_list": asked.id}))
    if not papers:
        raise ToolRefused(f"arXiv has no paper {asked.id!r}.")
    paper = papers[0]
    return fenced(f"arXiv {asked.id}", f"{paper['title']}\n{paper['summary']}")


def _papers(feed: bytes) -> list[dict[str, str]]:
    """The entries of an Atom feed. Entities and external references in it are refused."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        root = fromstring(feed)
    except (ParseError, DefusedXmlException) as cause:
        raise ToolRefused(f"arXiv's answer cannot be read ({type(cause).__name__}).") from cause
    return [
        {
            "id": _child(entry, "id").rpartition("/abs/")[2],
            "title": _child(entry, "title"),
            "summary": _child(entry, "summary"),
        }
        for entry in root.iter(f"{_ATOM}entry")
    ]


def _child(entry: Any, name: str) -> str:
    return " ".join((entry.findtext(f"{_ATOM}{name}") or "").split())


class _Words(HTMLParser):
    """The text of a page without scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Text inside scripts and styles is not text."""
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        """It is over."""
        self._hidden -= tag in ("script", "style") and self._hidden > 0

    def handle_data(self, data: str) -> None:
        """Words."""
        if not self._hidden and data.strip():
            self.pieces.append(" ".join(data.split()))


def _text_of(page: str) -> str:
    words = _Words()
    words.feed(page)
    return "\n".join(words.pieces)
