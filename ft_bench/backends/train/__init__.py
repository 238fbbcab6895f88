"""Trainers: one training job in, model weights out; each is an entry point `train.<name>`."""
