"""Scorers: one file per task, pure functions."""
