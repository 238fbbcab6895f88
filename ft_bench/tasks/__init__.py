"""Tasks: one folder each, with task.toml, brief.md and prepare.py."""
