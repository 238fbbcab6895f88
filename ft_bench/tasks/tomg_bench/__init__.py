"""TOMG-Bench: molecules from instructions."""
