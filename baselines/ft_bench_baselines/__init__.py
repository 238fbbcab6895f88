"""Baselines: the agents that TREX has to beat, on the same executor."""
