"""AIDP is switched off: what a model's programs find in its place."""

raise ImportError("AIDP is switched off by -A aidp=false")
