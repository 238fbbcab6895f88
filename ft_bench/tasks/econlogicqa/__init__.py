"""EconLogicQA: the logical order of four economic events."""
