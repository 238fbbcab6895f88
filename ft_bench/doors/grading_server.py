"""GradingServer: AutoRL-Bench's grading server, within the agent's cell; asks the Lab.

`python -m ft_bench.doors.grading_server SECONDS COMMAND...` serves on a port of 127.0.0.1, which a
cell without network has too, and runs the command beside it; its exit code is the command's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from ft_bench.errors import FtBenchError
from ft_bench.wire import Line, address

__all__ = ["main"]

_MOST_BYTES = 1 << 20


class _Handler(BaseHTTPRequestHandler):
    deadline: ClassVar[float] = 0.0

    def do_GET(self) -> None:
        """`/health` and `/time`."""
        if self.path == "/health":
            told = {"task": os.environ.get("TASK"), "workspace": os.environ.get("WORKSPACE")}
            self._answer(200, {"status": "ok", **told, "available_gpus": []})
        elif self.path == "/time":
            left = max(0, int(self.deadline - time.time()))
            self._answer(200, {"now": int(time.time()), "remaining": left})
        else:
            self._answer(404, {"error": f"there is no {self.path}"})

    def do_POST(self) -> None:
        """`/submit` scores a model; `/set_baseline` changes nothing: it is measured."""
        data = self._body()
        if self.path == "/set_baseline":
            self._answer(200, {"status": "set", "baseline_score": data.get("score")})
        elif self.path != "/submit":
            self._answer(404, {"error": f"there is no {self.path}"})
        elif not isinstance(data.get("model_path"), str):
            self._answer(400, {"error": "model_path is missing"})
        else:
            self._answer(*_graded(data["model_path"]))

    def _body(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length") or 0)
        try:
            found = json.loads(self.rfile.read(min(length, _MOST_BYTES)) or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def _answer(self, status: int, data: Any) -> None:
        text = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not talked about; the Lab keeps the books."""


def _graded(path: str) -> tuple[int, dict[str, Any]]:
    try:
        return 200, _ask("grade", {"path": path})
    except FtBenchError as error:
        return 400, {"error": str(error)}


def _ask(verb: str, args: dict[str, Any]) -> dict[str, Any]:
    line = Line(*address(os.environ))
    try:
        found: dict[str, Any] = line.ask(verb, args)
        return found
    finally:
        line.close()


def main(argv: Sequence[str]) -> int:
    """Serve while the command runs."""
    _Handler.deadline = time.time() + float(argv[0])
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        ended = subprocess.run(argv[1:], env={**os.environ, "GRADING_SERVER_URL": url}, check=False)
        server.shutdown()
    return ended.returncode if ended.returncode >= 0 else 128 - ended.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
