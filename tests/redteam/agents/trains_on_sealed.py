"""Trains on test rows that somebody gave it."""

import shutil
from pathlib import Path

from honest import WORKSPACE, node

shutil.copy(Path(__file__).parent / "leak.jsonl", WORKSPACE / "mine.jsonl")
node(sources=[{"id": "train"}, {"id": "mine.jsonl"}])
