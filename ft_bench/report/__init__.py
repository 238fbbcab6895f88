"""Reports: pure readers of records."""
