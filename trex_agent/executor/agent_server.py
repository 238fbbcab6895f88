"""Agent server: a client of OpenHands' agent server, over its REST interface.

Only what the adapter needs: upload, start or go on with a conversation, look at its state, read its
events, download. Event kinds that are not known are passed over, as the protocol asks of clients.
See `docs/guides/openhands.md` for the endpoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_bench.errors import ModelFailed, PrerequisiteError

if TYPE_CHECKING:
    import httpx

__all__ = ["ENDED", "AgentServer", "State", "Turn", "turns"]

ENDED = frozenset({"finished", "error", "stuck", "paused"})
"""States in which a conversation does nothing more by itself."""
_MOST_BYTES = 512 << 20
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class State:
    """Where a conversation stands: its status, and tokens and USD that it used so far."""

    status: str
    tokens: int
    usd: float


@dataclass(frozen=True, slots=True)
class Turn:
    """One call of a tool by the server's agent, with what came back."""

    name: str
    arguments: str
    text: str
    ok: bool


class AgentServer:
    """One server.

    Args:
        url: without the trailing slash, e.g. "http://127.0.0.1:8000".
        session_key: what it was started with, "" where it asks for none.
    """

    def __init__(self, url: str, session_key: str = "") -> None:
        self.url, self._key = url.rstrip("/"), session_key

    def check(self) -> None:
        """See that a server answers and lets us in.

        Raises:
            PrerequisiteError: names the address and the guide.
        """
        try:
            self._ask("GET", "/api/conversations/count")
        except ModelFailed as cause:
            raise PrerequisiteError(
                f"-A executor=openhands needs an agent server at {self.url}: {cause.cause}; start "
                "one as docs/guides/openhands.md says, or give its address by -A openhands_url"
            ) from cause

    def upload(self, source: Path, target: str) -> None:
        """Copy a file to an absolute path of the server.

        Raises:
            ModelFailed: as every request here, where no good answer comes.
        """
        with source.open("rb") as file:
            self._ask("POST", "/api/file/upload", params={"path": target}, files={"file": file})

    def download(self, source: str) -> bytes | None:
        """A file of the server, None where it is not there.

        Raises:
            ModelFailed: also where it is larger than 512 MiB.
        """
        answer = self._ask("GET", "/api/file/download", params={"path": source}, missing=True)
        return None if answer.status_code == 404 else answer.content

    def start(self, request: Mapping[str, Any]) -> None:
        """Start a conversation, or find the one that has this id already."""
        self._ask("POST", "/api/conversations", json=dict(request))

    def state(self, conversation: str) -> State | None:
        """Where a conversation stands, None where the server does not know it."""
        answer = self._ask("GET", f"/api/conversations/{conversation}", missing=True)
        if answer.status_code == 404:
            return None
        info = answer.json()
        metrics = ((info.get("stats") or {}).get("usage_to_metrics") or {}).values()
        usages = [item.get("accumulated_token_usage") or {} for item in metrics]
        tokens = sum(
            int(use.get("prompt_tokens", 0)) + int(use.get("completion_tokens", 0))
            for use in usages
        )
        usd = sum(float(item.get("accumulated_cost") or 0.0) for item in metrics)
        return State(str(info.get("execution_status", "idle")), tokens, usd)

    def say(self, conversation: str, text: str) -> None:
        """Send a message and let the agent go on."""
        content = [{"type": "text", "text": text}]
        body = {"role": "user", "content": content, "run": True}
        self._ask("POST", f"/api/conversations/{conversation}/events", json=body)

    def pause(self, conversation: str) -> None:
        """Stop the agent after what it is doing."""
        self._ask("POST", f"/api/conversations/{conversation}/pause")

    def said(self, conversation: str) -> str:
        """The agent's last word."""
        path = f"/api/conversations/{conversation}/agent_final_response"
        return str(self._ask("GET", path).json().get("response", ""))

    def events(self, conversation: str) -> Iterator[dict[str, Any]]:
        """All events of a conversation, oldest first."""
        page: str | None = None
        while True:
            params = {"limit": "100", **({"page_id": page} if page else {})}
            path = f"/api/conversations/{conversation}/events/search"
            answer = self._ask("GET", path, params=params).json()
            yield from answer.get("items", ())
            page = answer.get("next_page_id")
            if not page:
                return

    def _ask(self, method: str, path: str, *, missing: bool = False, **more: Any) -> httpx.Response:
        """One request; `missing` lets a 404 pass.

        Raises:
            ModelFailed: no answer, or one that is no success; what the agent used is known only
                from its state, so a request itself is free.
        """
        import httpx

        headers = {"X-Session-API-Key": self._key} if self._key else {}
        try:
            answer = httpx.request(
                method, f"{self.url}{path}", headers=headers, timeout=_SECONDS, **more
            )
        except httpx.HTTPError as cause:
            why = f"{method} {path} got no answer ({type(cause).__name__}: {cause})"
            raise ModelFailed(why, charged=False, transient=True) from cause
        if answer.is_success and len(answer.content) <= _MOST_BYTES:
            return answer
        if missing and answer.status_code == 404:
            return answer
        why = f"{method} {path} was answered by {answer.status_code}: {answer.text[:200]}"
        raise ModelFailed(why, charged=False, transient=answer.status_code >= 500)


def turns(events: Iterator[dict[str, Any]]) -> list[Turn]:
    """The agent's calls with their outcomes, in order; calls without an outcome are left out."""
    calls: dict[str, tuple[str, str]] = {}
    found = []
    for event in events:
        call = str(event.get("tool_call_id", ""))
        match event.get("kind"):
            case "ActionEvent":
                asked = event.get("tool_call") or {}
                calls[call] = (str(event.get("tool_name")), str(asked.get("arguments", "")))
            case "ObservationEvent" if call in calls:
                seen = event.get("observation") or {}
                text = "".join(str(part.get("text", "")) for part in seen.get("content", ()))
                found.append(Turn(*calls[call], text, not seen.get("is_error", False)))
            case "AgentErrorEvent" | "UserRejectObservation" if call in calls:
                text = str(event.get("error") or event.get("rejection_reason"))
                found.append(Turn(*calls[call], text, False))
            case _:
                pass
    return found
