"""TREX: an agent that searches a tree of fine-tuning plans."""
