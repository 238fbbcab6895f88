"""Lineage: whether a model is the permitted base plus a delta, tensor by tensor.

Weights are read from safetensors files in pieces, so memory stays flat whatever the model's size,
and no torch is loaded. What is compared, and what the limits were set on, is in
`docs/design/lineage.md`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from ft_bench.digest import digest, file_sha256
from ft_bench.errors import IntegrityError
from ft_bench.record import Lineage
from ft_bench.weights import Tensor, pieces, tensors_in, weights_digest

__all__ = ["LEAST_COSINE", "check_adapter", "check_weights", "lineage_of"]

LEAST_COSINE = 0.2
"""A matrix of as many as 1,000 weights drawn apart from the base's has a cosine of 0 +- 0.03."""

_SHAPE = (
    "model_type",
    "architectures",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
    "tie_word_embeddings",
)
_TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt")


def lineage_of(
    base: Path, model: Path, adapter: Path | None = None, *, foreign: bool = True
) -> Lineage:
    """Compare a model with the base it is said to come from.

    Args:
        base: folder of the permitted base model.
        model: folder of the model; where `adapter` is given, the base that the adapter names.
        adapter: folder of a LoRA adapter (peft), None for full weights.
        foreign: trained outside the harness. Only then must the weights still look like the
            base's: a training by the harness began at the base, however far it went.

    Returns:
        What was found; `faults` is empty where the model is the base plus a delta.

    Raises:
        IntegrityError: where the base's own files cannot be read.
    """
    if adapter is not None:
        found = check_adapter(base, adapter)
        other = () if model == base else ("the adapter sits on another base",)
        return found.model_copy(update={"faults": (*found.faults, *other)})
    return check_weights(base, model, LEAST_COSINE if foreign else -1.0)


def check_weights(base: Path, model: Path, least_cosine: float = LEAST_COSINE) -> Lineage:
    """Full weights against the base's: tensors, shapes, tokenizer, and how far each has moved."""
    try:
        ours = tensors_in(base)
    except (OSError, ValueError, KeyError) as cause:
        raise IntegrityError(f"{base} cannot be read as safetensors: {cause}") from cause
    try:
        theirs = tensors_in(model)
        common = sorted(ours.keys() & theirs.keys())
        shared = [name for name in common if _alike(ours, theirs, name)]
        moved = [_compare(ours[name], theirs[name]) for name in shared]
    except (OSError, ValueError, KeyError) as cause:
        return Lineage(kind="weights", faults=(f"the weights cannot be read: {cause}",))
    faults = [*_config_faults(base, model), *_tokenizer_faults(base, model)]
    faults += _name_faults(ours, theirs)
    matrices = [item for item, name in zip(moved, shared, strict=True) if len(ours[name].shape) > 1]
    cosine = float(np.median([item.cosine for item in matrices])) if matrices else 1.0
    if not all(item.finite for item in moved):
        faults.append("a tensor holds NaN or an infinity")
    elif cosine < least_cosine:
        faults.append(
            f"the weights are not the base's: median cosine {cosine:.3f}, expected at least "
            f"{least_cosine:g}"
        )
    return Lineage(
        kind="weights",
        tensors=len(theirs),
        parameters=sum(item.size for item in theirs.values()),
        changed=sum(item.delta > 0 for item in moved),
        cosine=round(cosine, 6),
        relative_delta=round(max((item.delta for item in moved), default=0.0), 6),
        weights_sha256=weights_digest(model),
        faults=tuple(faults),
    )


def check_adapter(base: Path, adapter: Path) -> Lineage:
    """A LoRA adapter against the base: every pair of factors fits a matrix of the base."""
    try:
        ours, theirs = tensors_in(base), tensors_in(adapter)
    except (OSError, ValueError, KeyError) as cause:
        return Lineage(kind="adapter", faults=(f"the adapter cannot be read: {cause}",))
    faults, pairs = [], 0
    for name, tensor in theirs.items():
        target, factor = _target(name)
        matrix = ours.get(f"{target}.weight")
        if factor is None or matrix is None or len(tensor.shape) != 2:
            faults.append(f"{name!r} is no factor of a matrix of the base")
        elif tensor.shape[1 if factor == "A" else 0] != matrix.shape[1 if factor == "A" else 0]:
            faults.append(f"{name!r} has shape {tensor.shape}, the base's is {matrix.shape}")
        pairs += factor == "A"
    if not all(np.isfinite(piece).all() for item in theirs.values() for piece in pieces(item)):
        faults.append("a tensor holds NaN or an infinity")
    return Lineage(
        kind="adapter",
        tensors=len(theirs),
        parameters=sum(item.size for item in theirs.values()),
        changed=pairs,
        weights_sha256=weights_digest(adapter),
        faults=tuple(faults),
    )


def _target(name: str) -> tuple[str, str | None]:
    """From peft's name of a factor to the module it changes, and which factor it is."""
    bare = name.removeprefix("base_model.model.")
    for factor in ("A", "B"):
        end = bare.find(f".lora_{factor}")
        if end >= 0:
            return bare[:end], factor
    return bare, None


def _alike(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor], name: str) -> bool:
    return ours[name].shape == theirs[name].shape


def _name_faults(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> list[str]:
    """Tensors that only one of the two has, and shapes that differ; tied heads may be absent."""
    faults = []
    missing = sorted(name for name in ours.keys() - theirs.keys() if "lm_head" not in name)
    added = sorted(name for name in theirs.keys() - ours.keys() if "lm_head" not in name)
    if missing:
        faults.append(f"{len(missing)} tensors of the base are absent, first {missing[0]!r}")
    if added:
        faults.append(f"{len(added)} tensors are not the base's, first {added[0]!r}")
    for name in sorted(ours.keys() & theirs.keys()):
        if not _alike(ours, theirs, name):
            faults.append(
                f"{name!r} has shape {theirs[name].shape}, the base's is {ours[name].shape}"
            )
            break
    return faults


def _config_faults(base: Path, model: Path) -> list[str]:
    before, after = _json(base / "config.json"), _json(model / "config.json")
    return [
        f"config.json has {field} {after.get(field)!r}, the base's is {before.get(field)!r}"
        for field in _SHAPE
        if before.get(field) != after.get(field)
    ]


def _tokenizer_faults(base: Path, model: Path) -> list[str]:
    """A tokenizer that turns text into other ids is another model's."""
    faults = []
    for name in _TOKENIZER:
        if (base / name).exists() and not _same_tokenizer(base / name, model / name):
            faults.append(f"{name} is not the base's")
    return faults


def _same_tokenizer(one: Path, other: Path) -> bool:
    if not other.exists():
        return False
    if one.suffix != ".json":
        return file_sha256(one) == file_sha256(other)
    fields = ("model", "normalizer", "pre_tokenizer", "added_tokens")
    left, right = _json(one), _json(other)
    if "model" not in left:
        return left == right
    return all(digest(left.get(name)) == digest(right.get(name)) for name in fields)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class _Moved:
    """How one tensor differs: |new - old| / |old|, the cosine of the two, and whether finite."""

    delta: float
    cosine: float
    finite: bool


def _compare(base: Tensor, model: Tensor) -> _Moved:
    dot = old = new = change = 0.0
    for left, right in zip(pieces(base), pieces(model), strict=True):
        if not np.isfinite(right).all():
            return _Moved(0.0, 0.0, finite=False)
        a, b = left.astype(np.float64), right.astype(np.float64)
        dot += float(a @ b)
        old += float(a @ a)
        new += float(b @ b)
        change += float((a - b) @ (a - b))
    if old == 0 or new == 0:
        return _Moved(0.0 if change == 0 else 1.0, 1.0 if old == new else 0.0, finite=True)
    return _Moved(sqrt(change / old), dot / sqrt(old * new), finite=True)
