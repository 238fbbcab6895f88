"""Clusters: where jobs run; each is an entry point `cluster.<name>`."""
