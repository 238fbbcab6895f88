"""SST-2: the sentiment of film-review sentences."""
