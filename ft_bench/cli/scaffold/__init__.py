"""Scaffold: what `ft-bench init` writes; `$name` and the like are filled in."""
