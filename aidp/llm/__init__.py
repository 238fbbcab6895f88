"""Language models as operators see them: requests, a journal, a budget, clients, a pool."""
