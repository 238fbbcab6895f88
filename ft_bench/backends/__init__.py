"""Backends: vendor adapters, loaded by the registry and imported by nobody."""
