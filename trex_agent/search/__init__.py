"""Search policies over the tree."""
