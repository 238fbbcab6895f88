"""EvaluateScript: `evaluate.py` as PostTrainBench's agents call it; scores on validation only."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from ft_bench.errors import FtBenchError
from ft_bench.wire import Line, address

__all__ = ["main"]

_IGNORED = ("--limit", "--templates-dir", "--max-connections", "--max-tokens")


def main() -> None:
    """Score a model folder, show the metrics, and write them where asked."""
    parser = argparse.ArgumentParser(description="Score a model on validation.")
    parser.add_argument("--model-path", default="final_model", help="a folder of the workspace")
    parser.add_argument("--json-output-file", help="where the metrics go too")
    for name in (*_IGNORED, "--gpu-memory-utilization"):
        parser.add_argument(name, help="accepted for compatibility; all rows are scored")
    given = parser.parse_args()
    try:
        line = Line(*address(os.environ))
        try:
            scored = line.ask("grade", {"path": str(Path(given.model_path).absolute())})
        finally:
            line.close()
    except FtBenchError as error:
        sys.stderr.write(f"evaluate.py: {error}\n")
        sys.exit(error.exit_code)
    metrics = {scored["metric"]: scored["score"]}
    sys.stdout.write(json.dumps(metrics) + "\n")
    if given.json_output_file:
        Path(given.json_output_file).write_text(json.dumps(metrics, indent=2), encoding="utf-8")
