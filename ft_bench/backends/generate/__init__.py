"""Generators: prompts in, outputs out; each is an entry point `generate.<name>`."""
