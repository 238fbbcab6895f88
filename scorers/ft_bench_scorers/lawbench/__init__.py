"""LawBench: twenty Chinese legal sub-tasks, each with upstream's own measure."""

from ft_bench_scorers.lawbench.scorer import LawBenchScorer

__all__ = ["SCORER", "LawBenchScorer"]

SCORER = LawBenchScorer(name="hybrid", version="2")
