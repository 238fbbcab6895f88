"""Scripted LLM: an OpenAI-compatible HTTP server on this machine that answers by a script.

In a test:

```python
with serve(lambda asked: say("hello")) as server:
    ...  # base_url=server.url
    assert server.answered == 1
```

By itself, with the built-in script that plays a TREX Researcher and Executor on `mini`:
`python -m ft_bench.testing.scripted_llm --port 8765 --log requests.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

__all__ = ["Answer", "Asked", "Script", "Server", "call", "fail", "say", "serve"]

MODEL = "scripted"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its body in OpenAI's chat format, and how many came before it."""

    body: Mapping[str, Any]
    number: int

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation."""
        return list(self.body["messages"])

    @property
    def system(self) -> str:
        """What the system message says, "" without one."""
        first = self.messages[0]
        return _content(first) if first["role"] == "system" else ""

    @property
    def last(self) -> str:
        """The content of the last message."""
        return _content(self.messages[-1])

    @property
    def text(self) -> str:
        """All that was said, end to end."""
        return "\n".join(_content(message) for message in self.messages)

    @property
    def tools(self) -> tuple[str, ...]:
        """Names of the tools that may be called."""
        return tuple(tool["function"]["name"] for tool in self.body.get("tools") or ())

    @property
    def turn(self) -> int:
        """How often the model has spoken in this conversation."""
        return sum(message["role"] == "assistant" for message in self.messages)


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server does with a request.

    `cut` sends half of the body and closes the connection; `wait` is seconds of silence before
    anything is sent; `usage` overrides the count of one token for four characters; `raw` replaces
    the body. `calls` are (tool, arguments), the arguments as text where they are no proper JSON.
    """

    text: str = ""
    calls: tuple[tuple[str, Mapping[str, Any] | str], ...] = ()
    status: int = 200
    finish: str = ""
    refusal: str = ""
    usage: tuple[int, int] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: str | None = None
    wait: float = 0.0
    cut: bool = False


Script = Callable[[Asked], Answer]


def say(text: str, **more: Any) -> Answer:
    """An answer in words."""
    return Answer(text=text, **more)


def call(tool: str, /, **arguments: Any) -> Answer:
    """A call of one tool."""
    return Answer(calls=((tool, arguments),))


def fail(status: int, message: str = "as the script says", **headers: str) -> Answer:
    """An error of the vendor; `Retry_After="1"` becomes the header Retry-After."""
    body = json.dumps({"error": {"message": message, "type": "scripted", "code": str(status)}})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, raw=body, headers=named)


@dataclass
class Server:
    """A server that is listening.

    Attributes:
        url: the base URL.
        script: may be replaced while it runs.
        requests: the bodies of all requests, in order of arrival.
        answered: how many good answers were sent to their last byte.
        keys: the Authorization headers.
        tokens: what the answered requests count, input and output.
        log: a JSONL file with one line a request, for readers in other processes.
    """

    script: Script
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    answered: int = 0
    keys: list[str | None] = field(default_factory=list)
    tokens: int = 0
    log: Path | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, body: dict[str, Any], key: str | None) -> Asked:
        """Count a request in."""
        with self.lock:
            self.requests.append(body)
            self.keys.append(key)
            return Asked(body, len(self.requests) - 1)

    def sent(self, asked: Asked, answer: Answer) -> None:
        """Count a request out: it was answered whole."""
        good = answer.status == 200 and not answer.cut
        used = sum(usage_of(asked.body, answer)) if good else 0
        with self.lock:
            self.answered += good
            self.tokens += used
            if self.log is not None:
                line = {"number": asked.number, "good": good, "tokens": used, "asked": asked.body}
                with self.log.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(line) + "\n")


def usage_of(body: Mapping[str, Any], answer: Answer) -> tuple[int, int]:
    """Tokens in and out of an answer; a token is four characters."""
    if answer.usage is not None:
        return answer.usage
    asked = len(json.dumps([body["messages"], body.get("tools")])) // 4
    said = len(answer.text) + sum(len(str(arguments)) for _, arguments in answer.calls)
    return asked, said // 4 + 1


def completion(asked: Asked, answer: Answer) -> dict[str, Any]:
    """The body of a good answer."""
    tools = [
        {
            "id": f"call_{asked.number}_{n}",
            "type": "function",
            "function": {
                "name": name,
                "arguments": given if isinstance(given, str) else json.dumps(dict(given)),
            },
        }
        for n, (name, given) in enumerate(answer.calls)
    ]
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    message |= {"tool_calls": tools} if tools else {}
    message |= {"refusal": answer.refusal} if answer.refusal else {}
    prompt, said = usage_of(asked.body, answer)
    return {
        "id": f"scripted-{asked.number}",
        "object": "chat.completion",
        "created": 0,
        "model": asked.body.get("model", MODEL),
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": answer.finish or ("tool_calls" if tools else "stop"),
            }
        ],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": said,
            "total_tokens": prompt + said,
        },
    }


def stream_of(body: Mapping[str, Any]) -> str:
    """A good answer as server-sent events: one piece, the usage, the end."""
    choice = body["choices"][0]
    delta = {k: v for k, v in choice["message"].items() if v is not None}
    for n, tool in enumerate(delta.get("tool_calls", [])):
        tool["index"] = n
    shared = {k: body[k] for k in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    ended = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
    pieces = [
        {**shared, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {**shared, "choices": [ended], "usage": body["usage"]},
    ]
    return "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces) + "data: [DONE]\n\n"


def _desk(server: Server) -> type[BaseHTTPRequestHandler]:
    class Desk(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            served = {"object": "list", "data": [{"id": MODEL, "object": "model"}]}
            self._send(Answer(), json.dumps(served), "application/json")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked = server.take(body, self.headers.get("Authorization"))
            answer = server.script(asked)
            time.sleep(answer.wait)
            if answer.raw is not None:
                self._send(answer, answer.raw, "application/json")
            elif body.get("stream"):
                self._send(answer, stream_of(completion(asked, answer)), "text/event-stream")
            else:
                self._send(answer, json.dumps(completion(asked, answer)), "application/json")
            server.sent(asked, answer)

        def _send(self, answer: Answer, text: str, kind: str) -> None:
            data = text.encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if answer.cut else data)
            self.wfile.flush()
            self.close_connection = self.close_connection or answer.cut

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Desk


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no event."""


@contextmanager
def serve(script: Script, port: int = 0, log: Path | None = None) -> Iterator[Server]:
    """Listen on a free port of this machine, or on `port`, until the block ends."""
    server = Server(script, log=log)
    listening = _Listening(("127.0.0.1", port), _desk(server))
    server.url = f"http://127.0.0.1:{listening.server_port}/v1"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def main(arguments: list[str] | None = None) -> None:
    """Serve the built-in script until interrupted; the first line of stdout is the base URL."""
    from ft_bench.testing.scripts import trex_on_mini

    parser = argparse.ArgumentParser(prog="python -m ft_bench.testing.scripted_llm")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, help="a JSONL file, one line a request")
    parser.add_argument("--wait", type=float, default=0.0, help="seconds before each answer")
    given = parser.parse_args(arguments)

    def script(asked: Asked) -> Answer:
        time.sleep(given.wait)
        return trex_on_mini(asked)

    with serve(script, given.port, given.log) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
