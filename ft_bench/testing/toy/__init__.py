"""Toy: a task of a few hundred made-up reviews with planted faults; ready in milliseconds."""
