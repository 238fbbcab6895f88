"""Mini: the built-in task; functional groups of small molecules, without any download."""
