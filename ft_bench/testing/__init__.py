"""Contract tests and fakes that third parties inherit: `cluster`, `bench`, `agents`, `toy`."""
