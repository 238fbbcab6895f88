"""A peer that speaks OpenHands' agent-server protocol and plays a script, over real HTTP.

It keeps conversations and files in memory, runs one scripted round per message, and answers as the
server's routers do: 201 for a new conversation and 200 for a known one, 404, 401, pages of events.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

PAGE = 3
TOKENS = (70, 30)
USD = 0.01


@dataclass
class Round:
    """What the agent does on one message: files it leaves, events, and how it ends."""

    files: dict[str, str] = field(default_factory=dict)
    status: str = "finished"
    said: str = "done"
    polls: int = 1
    turns: int = 1


@dataclass
class Talk:
    request: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)
    rounds: int = 0
    polls: int = 0
    status: str = "idle"


class Peer:
    """The server's state; `script` says what the agent does by round, from 0."""

    def __init__(self, script: Callable[[int], Round], key: str = "") -> None:
        self.script, self.key = script, key
        self.talks: dict[str, Talk] = {}
        self.files: dict[str, bytes] = {}
        self.counts: Counter[str] = Counter()

    def start(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = body["conversation_id"]
        assert body["agent"]["kind"] == "Agent"
        assert body["workspace"]["working_dir"].startswith("/")
        if name in self.talks:
            return 200, self.info(name)
        self.talks[name] = Talk(body)
        self.run(name)
        return 201, self.info(name)

    def run(self, name: str) -> None:
        talk = self.talks[name]
        talk.status, talk.polls = "running", 0
        done = self.script(talk.rounds)
        folder = talk.request["workspace"]["working_dir"]
        for path, text in done.files.items():
            self.files[f"{folder}/{path}"] = text.encode()
        for turn in range(done.turns):
            call = f"call-{talk.rounds}-{turn}"
            talk.events += [
                {"kind": "SomethingNewEvent", "id": f"{call}-x"},
                {
                    "kind": "ActionEvent",
                    "source": "agent",
                    "tool_name": "terminal",
                    "tool_call_id": call,
                    "thought": [{"type": "text", "text": "look"}],
                    "tool_call": {
                        "id": call,
                        "name": "terminal",
                        "arguments": json.dumps({"command": "wc -l train.jsonl"}),
                    },
                },
                {
                    "kind": "ObservationEvent",
                    "source": "environment",
                    "tool_name": "terminal",
                    "tool_call_id": call,
                    "observation": {
                        "kind": "TerminalObservation",
                        "content": [{"type": "text", "text": "236 train.jsonl"}],
                        "is_error": False,
                    },
                },
            ]
        talk.rounds += 1

    def info(self, name: str) -> dict[str, Any]:
        talk = self.talks[name]
        done = self.script(talk.rounds - 1)
        talk.polls += 1
        if talk.status == "running" and talk.polls > done.polls:
            talk.status = done.status
        usage = {
            "prompt_tokens": TOKENS[0] * talk.rounds,
            "completion_tokens": TOKENS[1] * talk.rounds,
        }
        metrics = {"accumulated_cost": USD * talk.rounds, "accumulated_token_usage": usage}
        return {
            "id": name,
            "execution_status": talk.status,
            "stats": {"usage_to_metrics": {"agent": metrics}},
        }

    def page(self, name: str, query: dict[str, list[str]]) -> dict[str, Any]:
        events, first = self.talks[name].events, int(query.get("page_id", ["0"])[0])
        following = first + PAGE if first + PAGE < len(events) else None
        return {
            "items": events[first : first + PAGE],
            "next_page_id": None if following is None else str(following),
        }

    @contextmanager
    def serving(self) -> Iterator[str]:
        handler = type("Handler", (_Handler,), {"peer": self})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    peer: Peer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body, url = self.rfile.read(length), urlparse(self.path)
        route = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", url.path)
        self.peer.counts[f"{self.command} {route}"] += 1
        if self.peer.key and self.headers.get("X-Session-API-Key") != self.peer.key:
            return self._send(401, b"{}")
        parts = url.path.split("/")
        name = parts[3] if len(parts) > 3 else ""
        if route.startswith("/api/conversations/ID") and name not in self.peer.talks:
            return self._send(404, b"{}")
        code, data = self._answer(f"{self.command} {route}", name, parse_qs(url.query), body)
        return self._send(code, data)

    def _answer(
        self, route: str, name: str, query: dict[str, list[str]], body: bytes
    ) -> tuple[int, bytes]:
        peer = self.peer
        match route:
            case "GET /api/conversations/count":
                return 200, str(len(peer.talks)).encode()
            case "POST /api/conversations":
                code, info = peer.start(json.loads(body))
                return code, json.dumps(info).encode()
            case "GET /api/conversations/ID":
                return 200, json.dumps(peer.info(name)).encode()
            case "POST /api/conversations/ID/events":
                message = json.loads(body)
                assert message["run"] is True
                assert message["content"][0]["type"] == "text"
                peer.run(name)
                return 200, b'{"success": true}'
            case "POST /api/conversations/ID/pause":
                peer.talks[name].status = "paused"
                return 200, b'{"success": true}'
            case "GET /api/conversations/ID/agent_final_response":
                said = peer.script(peer.talks[name].rounds - 1).said
                return 200, json.dumps({"response": said}).encode()
            case "GET /api/conversations/ID/events/search":
                return 200, json.dumps(peer.page(name, query)).encode()
            case "POST /api/file/upload":
                peer.files[query["path"][0]] = self._part(body)
                return 200, b'{"success": true}'
            case "GET /api/file/download":
                found = peer.files.get(query["path"][0])
                return (404, b"{}") if found is None else (200, found)
            case _:
                return 405, b"{}"

    def _part(self, body: bytes) -> bytes:
        kind = self.headers["content-type"].encode()
        parsed = message_from_bytes(b"Content-Type: " + kind + b"\r\n\r\n" + body, policy=HTTP)
        [part] = parsed.iter_parts()
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        return data

    def _send(self, code: int, data: bytes) -> None:
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
