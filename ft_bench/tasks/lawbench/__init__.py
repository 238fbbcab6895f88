"""LawBench: twenty Chinese legal sub-tasks."""
