"""The command line on the toy task and the fake cluster, on its own terminal:
`approve_run.py ROOT ARGUMENTS...`."""

from __future__ import annotations

import fcntl
import sys
import termios
from pathlib import Path

from ft_bench.cli.main import main
from ft_bench.testing.bench import Bench
from ft_bench.testing.cluster import FakeCluster

if __name__ == "__main__":
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C reaches this session
    with Bench(Path(sys.argv[1])).open("trex", FakeCluster()):
        main(sys.argv[2:])
