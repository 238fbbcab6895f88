"""Encoder: texts to unit vectors, by hashed n-grams or by a model from disk or hub."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from aidp.errors import AidpError

if TYPE_CHECKING:
    from aidp.buffers import TextBuffer

Encoder = Literal["hash", "model2vec", "sentence-transformers"]
Vectors = npt.NDArray[np.float32]
HASH_DIMENSIONS = 512


def hash_vectors(
    buffer: TextBuffer, *, dimensions: int = HASH_DIMENSIONS, threads: int = 1
) -> Vectors:
    """Unit vectors of hashed words, word pairs and character 4-grams, shape (texts, dimensions).

    No model: texts are near when they share words and spellings, not when they only mean
    the same. A text without letters is the zero vector. The same on every machine.
    """
    from aidp.buffers import over_parts
    from aidp.embed_kernel import CHARS_IN_GRAM, add_grams

    vectors = np.zeros((len(buffer), dimensions), np.float32)

    def fill(part: TextBuffer, start: int, stop: int) -> None:
        for words, n, weight in ((True, 1, 1.0), (True, 2, 0.5), (False, CHARS_IN_GRAM, 0.25)):
            add_grams(part.data, part.offsets, words, n, weight, vectors[start:stop])

    over_parts(fill, buffer, threads)
    return unit(np.sign(vectors) * np.sqrt(np.abs(vectors)))


def unit(vectors: Vectors) -> Vectors:
    """Each row divided by its Euclidean length; zero rows stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    divided: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return divided


def model_vectors(
    texts: Sequence[str], model: str, encoder: Encoder, *, batch_size: int = 64
) -> Vectors:
    """Unit vectors of a model, shape (texts, dimensions); texts are batched by length.

    Args:
        texts: What to encode.
        model: A local folder or the id of a hub model.
        encoder: `model2vec` or `sentence-transformers`.
        batch_size: Texts at once.

    Raises:
        AidpError: The library is not installed, or the model cannot be loaded.
    """
    order = np.argsort([-len(text) for text in texts], kind="stable")
    ranked = [texts[i] for i in order]
    loaded = _load(model, encoder)
    if encoder == "model2vec":
        made = loaded.encode(ranked, batch_size=batch_size)
    else:
        made = loaded.encode(ranked, batch_size=batch_size, show_progress_bar=False)
    vectors = np.empty((len(texts), np.asarray(made).shape[1]), np.float32)
    vectors[order] = np.asarray(made, np.float32)
    return unit(vectors)


def _load(model: str, encoder: Encoder) -> Any:
    try:
        if encoder == "model2vec":
            from model2vec import StaticModel

            return StaticModel.from_pretrained(model)
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(model)
    except ImportError:
        raise AidpError(
            f"{encoder} is not installed; install it, or use encoder='hash', which needs no model"
        ) from None
    except (OSError, ValueError) as error:
        raise AidpError(f"cannot load {model!r} with {encoder}: {error}; check the path") from error
