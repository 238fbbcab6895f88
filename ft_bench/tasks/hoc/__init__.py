"""HoC: hallmarks of cancer in abstracts."""
