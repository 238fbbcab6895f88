"""Perplexity: how surprising a causal language model finds each text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aidp.effect import Effect
from aidp.errors import AidpError
from aidp.operators import operator
from aidp.schema import set_column, strings

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class _Sequence:
    """One text as tokens; the first `given` of them are context and are not scored."""

    row: int
    tokens: list[int]
    given: int


@operator(
    cost="model calls", example='compute_perplexity(data, column="text", model="models/base")'
)
def compute_perplexity(
    table: pa.Table,
    *,
    column: str = "text",
    model: str,
    given: str | None = None,
    output: str = "perplexity",
    max_length: int = 2048,
    batch_tokens: int = 8_192,
    device: str = "cpu",
) -> Effect:
    """Add exp of the mean negative log-likelihood of a text's tokens under a model.

    Texts are batched by length, so that little is spent on padding; padded places are
    masked, so that the number does not depend on the batch. Where the tokenizer has a
    begin-of-text token it is put first; else the first token of a text is context. Two
    columns are added: `output`, and `<output>_error`, which says why a number is null.

    Args:
        table: The rows.
        column: The text to score; null or a text without any token to score gives null.
        model: A local folder or hub id that `transformers` loads.
        given: A column of text that precedes and is not scored, such as the prompt.
        output: The new column of floats.
        max_length: Tokens of a text at most; the rest is not scored.
        batch_tokens: Padded tokens at once at most; one text is always taken.
        device: Where to compute, such as `cpu` or `cuda`.

    Raises:
        AidpError: The model cannot be loaded, or a column is missing or holds no text.
    """
    values = strings(table, column, nulls=True).to_pylist()
    before = [""] * len(values)
    if given is not None:
        before = [text or "" for text in strings(table, given, nulls=True).to_pylist()]
    tokenizer, network = _load(model, device)
    sequences = [
        sequence
        for row, text in enumerate(values)
        if text and (sequence := _tokens(tokenizer, row, before[row], text, max_length))
    ]
    scores = np.full(len(values), np.nan)
    for batch in _batches(sequences, batch_tokens):
        for sequence, mean in zip(batch, _mean_losses(network, batch, device), strict=True):
            scores[sequence.row] = math.exp(min(mean, 700.0))
    return _effect(table, output, scores, padded_share(sequences, batch_tokens))


def padded_share(sequences: Sequence[Any], batch_tokens: int) -> float:
    """Which share of the computed places is padding."""
    places = [len(batch) * len(batch[0].tokens) for batch in _batches(sequences, batch_tokens)]
    real = sum(len(sequence.tokens) for sequence in sequences)
    return 1 - real / sum(places) if places else 0.0


def _effect(table: pa.Table, output: str, scores: Any, padding: float) -> Effect:
    import pyarrow as pa

    missing = np.isnan(scores)
    reason = "no token to score"
    made = set_column(table, output, pa.array(scores, mask=missing))
    errors = pa.array([reason if gap else None for gap in missing.tolist()], pa.string())
    made = set_column(made, f"{output}_error", errors)
    return Effect(table=made, failed=int(missing.sum()), notes={"padded_share": round(padding, 4)})


def _load(model: str, device: str) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model)
        network = AutoModelForCausalLM.from_pretrained(model, torch_dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise AidpError(f"cannot load the model {model!r}: {error}; check the path") from error
    return tokenizer, network.to(device).eval()


def _tokens(tokenizer: Any, row: int, before: str, text: str, most: int) -> _Sequence | None:
    """The tokens of one row, None when none of them can be scored."""
    first = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    context = tokenizer(before, add_special_tokens=False)["input_ids"] if before else []
    scored = tokenizer(text, add_special_tokens=False)["input_ids"]
    tokens = [*first, *context, *scored][:most]
    given = max(1, len(first) + len(context))
    return _Sequence(row, tokens, given) if len(tokens) > given else None


def _batches(sequences: Sequence[_Sequence], batch_tokens: int) -> Iterator[list[_Sequence]]:
    """Longest first, as many at once as `batch_tokens` holds with padding."""
    ranked = sorted(sequences, key=lambda one: (-len(one.tokens), one.row))
    start = 0
    while start < len(ranked):
        size = max(1, batch_tokens // len(ranked[start].tokens))
        yield ranked[start : start + size]
        start += size


def _mean_losses(network: Any, batch: list[_Sequence], device: str) -> list[float]:
    """The mean negative log-likelihood of each sequence's scored tokens, in nats."""
    import torch

    width = len(batch[0].tokens)
    ids = torch.zeros((len(batch), width), dtype=torch.long)
    attention = torch.zeros_like(ids)
    scored = torch.zeros((len(batch), width - 1), dtype=torch.bool)
    for i, sequence in enumerate(batch):
        n = len(sequence.tokens)
        ids[i, :n] = torch.tensor(sequence.tokens)
        attention[i, :n] = 1
        scored[i, sequence.given - 1 : n - 1] = True
    with torch.inference_mode():
        logits = network(input_ids=ids.to(device), attention_mask=attention.to(device)).logits
        losses = torch.nn.functional.cross_entropy(
            logits[:, :-1].float().transpose(1, 2), ids[:, 1:].to(device), reduction="none"
        ).cpu()
    means = (losses * scored).double().sum(1) / scored.sum(1)
    return [float(mean) for mean in means]
