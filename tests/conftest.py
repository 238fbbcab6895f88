"""What all tests share: whether this machine can confine a program."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from ft_bench import registry
from ft_bench.errors import PrerequisiteError
from ft_bench.protocols import Cell, Sandbox


@pytest.fixture(scope="session")
def bwrap() -> Sandbox:
    """The bubblewrap sandbox; skips where it cannot work, but never in CI."""
    sandbox: Sandbox = registry.backend("sandbox", "bwrap")()
    try:
        with tempfile.TemporaryDirectory() as folder:
            sandbox.start(["true"], Cell(Path(folder))).wait(60)
    except PrerequisiteError as cause:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(cause))
    return sandbox
