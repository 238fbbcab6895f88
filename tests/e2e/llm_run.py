"""One process of a run on the fake cluster with a model at an address: `llm_run.py ROOT URL`."""

from __future__ import annotations

import sys
from pathlib import Path

from ft_bench.budget import Budget
from ft_bench.testing.bench import Bench
from ft_bench.testing.cluster import FakeCluster
from trex_agent.agent import Trex

OPTIONS = {"confirm_top": "1", "confirm_seeds": "1", "root_variants": "2"}


def main() -> None:
    root, url = sys.argv[1:]
    card = Bench(Path(root)).run(
        Trex,
        FakeCluster(),
        backend="local",
        backend_options={"base_url": url, "model": "scripted", "backoff": "0.05"},
        options=OPTIONS,
        budget=Budget(iterations=2),
    )
    sys.stdout.write(card.model_dump_json())


if __name__ == "__main__":
    main()
