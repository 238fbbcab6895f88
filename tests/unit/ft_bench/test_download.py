from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ft_bench.download import fetch
from ft_bench.errors import PrerequisiteError

DATA = bytes(range(256)) * 4000


class Site(HTTPServer):
    """A server on this machine whose connection may be cut after so many bytes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Reply)
        self.cuts: list[int] = []
        self.ranges: list[str | None] = []
        self.honours_ranges = True
        self.chunked = False
        self.data = DATA

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/train.tsv"


class _Reply(BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        if self.path != "/train.tsv":
            self.send_error(404)
            return
        start = 0
        if asked and self.server.honours_ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        body = self.server.data[start:]
        if start and not body:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.close_connection = True
        self._send(body)

    def _send(self, body: bytes) -> None:
        cut = self.server.cuts.pop(0) if self.server.cuts else len(body)
        if self.server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(f"{len(body):x}\r\n".encode() + body[:cut])
            if cut == len(body):
                self.wfile.write(b"\r\n0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_file_is_fetched_whole_and_told_about(site: Site, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    target = tmp_path / "new" / "train.tsv"
    fetch(site.url, target, lambda *args: told.append(args))
    assert target.read_bytes() == DATA
    assert told[-1] == ("train.tsv", len(DATA), len(DATA))
    assert [item.name for item in target.parent.iterdir()] == ["train.tsv"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_cut_connection_is_an_error_and_is_taken_up_where_it_ended(
    site: Site, tmp_path: Path, chunked: bool
) -> None:
    site.cuts, site.chunked = [100_000, 600_000], chunked
    target = tmp_path / "train.tsv"
    for _ in range(2):
        with pytest.raises(PrerequisiteError, match=r"could not be downloaded .*--data-dir DIR"):
            fetch(site.url, target)
        assert not target.exists()
    fetch(site.url, target)
    assert target.read_bytes() == DATA
    starts = [int(asked.removeprefix("bytes=")[:-1]) for asked in site.ranges[1:] if asked]
    assert starts == sorted(starts)
    assert len(starts) == (1 if chunked else 2)


def test_a_server_without_ranges_is_asked_from_the_start(site: Site, tmp_path: Path) -> None:
    site.cuts, site.honours_ranges = [100_000], False
    with pytest.raises(PrerequisiteError):
        fetch(site.url, tmp_path / "train.tsv")
    fetch(site.url, tmp_path / "train.tsv")
    assert (tmp_path / "train.tsv").read_bytes() == DATA


@pytest.mark.parametrize("extra", [b"", b"more"])
def test_a_part_that_has_no_rest_is_fetched_anew(site: Site, tmp_path: Path, extra: bytes) -> None:
    """As a kill between the last byte and the rename leaves it, or another revision."""
    (tmp_path / "train.tsv.part").write_bytes(DATA + extra)
    fetch(site.url, tmp_path / "train.tsv")
    assert (tmp_path / "train.tsv").read_bytes() == DATA


def test_what_is_not_there_names_the_address(site: Site, tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match=r"/other could not be downloaded .*404"):
        fetch(site.url.replace("train.tsv", "other"), tmp_path / "f")


def test_no_network_is_a_sentence(tmp_path: Path) -> None:
    with Site() as server:
        url = server.url
    with pytest.raises(PrerequisiteError, match="give the files with --data-dir"):
        fetch(url, tmp_path / "f", timeout=5)
