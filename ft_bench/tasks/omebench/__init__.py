"""oMeBench: the steps of organic reaction mechanisms."""
