"""AIDP: data operators that an agent composes, exact, reproducible and fast.

Each operator takes a `datasets.Dataset` and gives one back; `aidp.run` runs a recipe of
them as data; `aidp.catalogue` describes them. Importing this package loads nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from aidp.errors import AidpError

if TYPE_CHECKING:
    from aidp.answers import normalise_list
    from aidp.blend import balance_classes, mix
    from aidp.chat import convert_chat
    from aidp.chat_check import filter_valid_chat
    from aidp.choose import select_by_random, select_by_score
    from aidp.conflicts import drop_conflicts
    from aidp.dedup import deduplicate_by_text_hash
    from aidp.describe import catalogue
    from aidp.diverse import select_diverse
    from aidp.embed import generate_text_embeddings
    from aidp.engine import run
    from aidp.filter import select_by_filter
    from aidp.formats import filter_by_format
    from aidp.judging import score_dataset_with_llm
    from aidp.language import filter_by_language
    from aidp.length import filter_by_token_length, filter_by_word_count
    from aidp.load import load_local_dataset, load_remote_dataset
    from aidp.molecules import augment_smiles, filter_valid_smiles
    from aidp.near import deduplicate_by_minhash
    from aidp.outcome import Account, Outcome, RunOutcome
    from aidp.overlap import decontaminate
    from aidp.perplexity import compute_perplexity
    from aidp.preferences import generate_preference_dataset
    from aidp.quality import score_text_quality
    from aidp.recipe import recipe_digest, validate
    from aidp.semantic import deduplicate_by_embedding
    from aidp.stream import run_stream
    from aidp.synthesis import generate_dataset_with_llm

_HOMES = {
    "Account": "outcome",
    "Outcome": "outcome",
    "RunOutcome": "outcome",
    "augment_smiles": "molecules",
    "balance_classes": "blend",
    "catalogue": "describe",
    "compute_perplexity": "perplexity",
    "convert_chat": "chat",
    "decontaminate": "overlap",
    "deduplicate_by_embedding": "semantic",
    "deduplicate_by_minhash": "near",
    "deduplicate_by_text_hash": "dedup",
    "drop_conflicts": "conflicts",
    "filter_by_format": "formats",
    "filter_by_language": "language",
    "filter_by_token_length": "length",
    "filter_by_word_count": "length",
    "filter_valid_chat": "chat_check",
    "filter_valid_smiles": "molecules",
    "generate_dataset_with_llm": "synthesis",
    "generate_preference_dataset": "preferences",
    "generate_text_embeddings": "embed",
    "load_local_dataset": "load",
    "load_remote_dataset": "load",
    "mix": "blend",
    "normalise_list": "answers",
    "recipe_digest": "recipe",
    "run": "engine",
    "run_stream": "stream",
    "score_dataset_with_llm": "judging",
    "score_text_quality": "quality",
    "select_by_filter": "filter",
    "select_by_random": "choose",
    "select_by_score": "choose",
    "select_diverse": "diverse",
    "validate": "recipe",
}

__all__ = [
    "Account",
    "AidpError",
    "Outcome",
    "RunOutcome",
    "augment_smiles",
    "balance_classes",
    "catalogue",
    "compute_perplexity",
    "convert_chat",
    "decontaminate",
    "deduplicate_by_embedding",
    "deduplicate_by_minhash",
    "deduplicate_by_text_hash",
    "drop_conflicts",
    "filter_by_format",
    "filter_by_language",
    "filter_by_token_length",
    "filter_by_word_count",
    "filter_valid_chat",
    "filter_valid_smiles",
    "generate_dataset_with_llm",
    "generate_preference_dataset",
    "generate_text_embeddings",
    "load_local_dataset",
    "load_remote_dataset",
    "mix",
    "normalise_list",
    "recipe_digest",
    "run",
    "run_stream",
    "score_dataset_with_llm",
    "score_text_quality",
    "select_by_filter",
    "select_by_random",
    "select_by_score",
    "select_diverse",
    "validate",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'aidp' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"aidp.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
