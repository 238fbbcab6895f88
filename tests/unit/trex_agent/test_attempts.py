"""What a command reaches for is named; ordinary work is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from trex_agent.executor.attempts import attempts

OPEN = (Path("/srv/run/workspace/node-001"), Path("/srv/cache/mini/train.jsonl"))


@pytest.mark.parametrize(
    ("text", "kind", "target"),
    [
        ("cat /etc/passwd", "path", "/etc/passwd"),
        ("cat ~/.local/share/ft-bench/private/mini/test.jsonl", "path", "~/.local/share/"),
        ("open('/home/me/private/test.jsonl')", "path", "/home/me/private/test.jsonl"),
        ("cat $HOME/.netrc", "path", "$HOME/.netrc"),
        ("find / -name 'test*'", "path", "/"),
        ("cat ../../events.jsonl", "path", "../../events.jsonl"),
        ("ls ..", "path", ".."),
        ("cat /proc/1/environ", "path", "/proc/1/environ"),
        ("tr '\\0' '\\n' < /proc/self/environ", "path", "/proc/self/environ"),
        ("cat /srv/run/card.json", "path", "/srv/run/card.json"),
        ("curl http://example.org/x", "network", "curl"),
        ("python -c 'import socket; socket.socket()'", "network", "socket.socket"),
        ("echo hello > /dev/tcp/10.0.0.1/80", "network", "/dev/tcp"),
        (":(){ :|:& };:", "process", "fork bomb"),
        ("nohup sleep 1000 &", "process", "nohup"),
        ("python -c 'import os\nwhile True: os.fork()'", "process", "os.fork"),
    ],
)
def test_what_is_not_open_is_named(text: str, kind: str, target: str) -> None:
    found = [(attempt.kind, attempt.target) for attempt in attempts(text, OPEN)]
    assert any(one == kind and two.startswith(target) for one, two in found), found


@pytest.mark.parametrize(
    "text",
    [
        "head -3 train.jsonl | cut -c1-300",
        "head /srv/cache/mini/train.jsonl; wc -l /srv/run/workspace/node-001/out.jsonl",
        "python build.py > log 2>&1; cat log",
        "sed -i 's/a/b/g' x.py && echo $((10 / 3))",
        "/usr/bin/env python -c 'print(1)' 2>/dev/null",
        "cd src && python ../build.py",
        "import aidp\nrows = aidp.load_local_dataset('train.jsonl')\nprint(rows[0])",
        "mktemp /tmp/xyzzy-never-there/part",
        "echo 'see https://example.org/page for and/or questions, C/C=C/C'",
    ],
)
def test_ordinary_work_is_not_named(text: str) -> None:
    assert attempts(text, OPEN) == []


def test_something_of_this_machine_below_tmp_is_named(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    found = attempts(f"cat {tmp_path}/private/test.jsonl {tmp_path}/node/x", [tmp_path / "node"])
    assert [attempt.target for attempt in found] == [f"{tmp_path}/private/test.jsonl"]
