"""Sandboxes: how a foreign program is confined; each is an entry point `sandbox.<name>`."""
