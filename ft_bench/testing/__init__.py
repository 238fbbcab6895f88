"""Contract tests and fakes that third parties inherit."""
