"""The grader's process: `python -m ft_bench.grader spec.json` reads a GradeSpec, writes a Grade.

It lives no longer than whoever holds the other end of its standard input.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from ft_bench.files import write_json
from ft_bench.grader.grade import grade
from ft_bench.grader.spec import GradeSpec


def _end_with_parent() -> None:
    """Wait for the end of standard input, which is the end of the harness; leave nothing behind."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def main(argv: list[str]) -> int:
    """Grade as `argv[0]` says; the outcome goes to `grade.json` beside it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    path = Path(argv[0])
    spec = GradeSpec.model_validate_json(path.read_bytes())
    write_json(path.with_name("grade.json"), grade(spec))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
