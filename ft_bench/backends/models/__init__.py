"""Models: loading, and the small bases that a laptop can train."""
