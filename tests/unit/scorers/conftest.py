"""Properties run on the same examples every time, without a clock or a database."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile(
    "scorers", deadline=None, derandomize=True, database=None, max_examples=40
)
settings.load_profile("scorers")
