"""FT-Bench: a benchmark for agents that fine-tune language models."""
