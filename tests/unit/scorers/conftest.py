"""Properties run on the same examples every time, without a clock or a database."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("scorers", deadline=None, derandomize=True, database=None)
settings.load_profile("scorers")
