"""Properties are checked on the same examples every time, without a clock and without a database."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("scorers", deadline=None, derandomize=True, database=None)
settings.load_profile("scorers")
