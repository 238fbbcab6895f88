"""A real HTTP server on this machine that answers chat completions by a script."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[[str, int], "str | tuple[int, str]"]


@dataclass
class Server:
    """What came in, and where it listens.

    Attributes:
        url: The base URL.
        bodies: The bodies of all requests in order of arrival.
        busiest: The most requests that were in flight at once.
        keys: The Authorization headers.
    """

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    busiest: int = 0
    flying: int = 0

    def options(self, **more: Any) -> dict[str, Any]:
        """The `llm` option that reaches it, with quick retries."""
        return {"model": "scripted", "base_url": self.url, "backoff_seconds": 0.001, **more}


@contextmanager
def serve(script: Script, delay_seconds: float = 0.0) -> Iterator[Server]:
    """Serve `script(last user message, number of the request)`: a text, or status and text."""
    server, lock = Server(), threading.Lock()

    class Desk(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = len(server.bodies)
                server.bodies.append(body)
                server.keys.append(self.headers.get("Authorization"))
                server.flying += 1
                server.busiest = max(server.busiest, server.flying)
            time.sleep(delay_seconds)
            said = script(body["messages"][-1]["content"], number)
            with lock:
                server.flying -= 1
            self._answer(*(said if isinstance(said, tuple) else (200, completion(body, said))))

        def _answer(self, status: int, text: str) -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    listening = Quiet(("127.0.0.1", 0), Desk)
    server.url = f"http://127.0.0.1:{listening.server_port}/v1"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def completion(body: dict[str, Any], content: str) -> str:
    """An OpenAI-compatible answer; a token is four characters."""
    asked = sum(len(turn["content"]) for turn in body["messages"]) // 4
    usage = {"prompt_tokens": asked, "completion_tokens": len(content) // 4 + 1}
    choice = {"index": 0, "message": {"role": "assistant", "content": content}}
    return json.dumps(
        {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [{**choice, "finish_reason": "stop"}],
            "usage": usage,
        }
    )
