"""Journal: the replies that were paid for, one JSON line each, found by request."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import IO

from aidp.llm.request import Reply, Request

log = logging.getLogger(__name__)


class Journal:
    """Replies on disk and in memory. Only answers are kept; a failure is asked again."""

    def __init__(self, path: str | Path | None) -> None:
        """Read what is at `path`; None keeps replies in memory only.

        A last line that was cut off by a crash is dropped.
        """
        self._replies: dict[str, Reply] = {}
        self._path = None if path is None else Path(path)
        self._sink: IO[str] | None = None
        if self._path is not None and self._path.exists():
            self._read(self._path)

    def find(self, request: Request) -> Reply | None:
        """The reply to `request`, if it is known."""
        return self._replies.get(request.key)

    def write(self, request: Request, reply: Reply) -> None:
        """Keep an answer; on disk before this returns."""
        self._replies[request.key] = Reply(
            reply.content, reply.prompt_tokens, reply.completion_tokens, journalled=True
        )
        if self._path is None:
            return
        if self._sink is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._sink = self._path.open("a", encoding="utf-8")
        line = {
            "key": request.key,
            "model": request.model,
            "content": reply.content,
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
        }
        self._sink.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._sink.flush()

    def close(self) -> None:
        """Close the file; the journal can still be read and written."""
        if self._sink is not None:
            self._sink.close()
            self._sink = None

    def _read(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8", errors="replace")
        if text and not text.endswith("\n"):
            text = text[: text.rfind("\n") + 1]
            path.write_text(text, encoding="utf-8")
            log.warning("the last line of %s was cut off and is dropped", path.name)
        for line in filter(None, text.split("\n")):
            entry = json.loads(line)
            self._replies[entry["key"]] = Reply(
                entry["content"],
                entry["prompt_tokens"],
                entry["completion_tokens"],
                journalled=True,
            )
