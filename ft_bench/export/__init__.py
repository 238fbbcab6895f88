"""Exports: readers of records that write for other tools."""
