"""Start: where the command `ft-bench` begins; `lab` is answered before the rest is loaded."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with the code of the table in the README."""
    if sys.argv[1:2] == ["lab"]:
        from ft_bench.cli.lab import main as lab

        sys.exit(lab(sys.argv[2:]))
    from ft_bench.cli.main import main as everything

    everything()
