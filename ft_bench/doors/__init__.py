"""Doors: how an agent that is not a class in the harness's process gets to its Lab."""
