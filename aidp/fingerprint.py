"""Fingerprint: ids of contents, the same however the rows are cut into chunks."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aidp.schema import is_list

DIGEST_BYTES = 16
_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def digest_json(value: object) -> str:
    """A 32-digit hexadecimal digest of JSON-able `value`, whatever the order of its keys."""
    from blake3 import blake3

    return blake3(_CANONICAL.encode(value).encode()).hexdigest(length=DIGEST_BYTES)


def content_id(table: pa.Table) -> str:
    """A 32-digit hexadecimal digest of names, types and values.

    It depends neither on chunks, nor on 32 or 64 bit offsets, nor on metadata, so that a
    dataset keeps its id over saving, loading and slicing.
    """
    from blake3 import blake3

    whole = blake3()
    whole.update(f"rows {table.num_rows}".encode())
    for name in table.column_names:
        whole.update(json.dumps(["column", name]).encode())
        for stream in _streams(table.column(name)):
            whole.update(stream)
    return whole.hexdigest(length=DIGEST_BYTES)


def _streams(values: pa.ChunkedArray) -> Iterator[bytes]:
    """The digests of one column: type, validity, lengths, contents, then those of children."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = values.cast(kind.value_type)
        kind = kind.value_type
    yield _type_name(kind).encode()
    yield _null_rows(values)
    if pa.types.is_struct(kind):
        yield from _struct_streams(values)
    elif is_list(kind):
        yield _hashed(_lengths(chunk) for chunk in values.chunks)
        yield from _streams(_children(values))
    elif _is_bytes(kind):
        yield _hashed(_lengths(chunk) for chunk in values.chunks)
        yield _hashed(_contents(chunk) for chunk in values.chunks)
    elif not pa.types.is_null(kind):
        yield _hashed(_fixed(chunk) for chunk in values.chunks)


def _struct_streams(values: pa.ChunkedArray) -> Iterator[bytes]:
    for i in range(values.type.num_fields):
        field = values.type.field(i)
        yield field.name.encode()
        yield from _streams(
            pa.chunked_array([pc.struct_field(chunk, [i]) for chunk in values.chunks], field.type)
        )


def _hashed(parts: Iterator[memoryview | bytes]) -> bytes:
    from blake3 import blake3

    hasher = blake3(max_threads=blake3.AUTO)
    for part in parts:
        hasher.update(part)
    return hasher.digest()


def _is_bytes(kind: pa.DataType) -> bool:
    return any(
        test(kind)
        for test in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_binary,
            pa.types.is_large_binary,
        )
    )


def _type_name(kind: pa.DataType) -> str:
    if is_list(kind):
        return "list"
    if pa.types.is_struct(kind):
        return f"struct {kind.num_fields}"
    return str(kind).removeprefix("large_")


def _null_rows(values: pa.ChunkedArray) -> bytes:
    if not values.null_count:
        return b"no nulls"
    return _hashed(iter([np.flatnonzero(values.is_null().to_numpy()).astype("<i8").tobytes()]))


def _lengths(chunk: pa.Array) -> bytes:
    counted = pc.list_value_length(chunk) if is_list(chunk.type) else pc.binary_length(chunk)
    return np.asarray(pc.fill_null(counted, 0), "<i8").tobytes()


def _contents(chunk: pa.Array) -> memoryview | bytes:
    """The bytes of all values, without a copy where no null hides any."""
    if chunk.null_count:
        chunk = chunk.drop_null()
    width = np.int64 if str(chunk.type).startswith("large_") else np.int32
    _, offsets, data = chunk.buffers()
    if data is None or len(chunk) == 0:
        return b""
    edges = np.frombuffer(offsets, width)[chunk.offset : chunk.offset + len(chunk) + 1]
    return memoryview(data)[int(edges[0]) : int(edges[-1])]


def _children(values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type.value_type
    return pa.chunked_array([chunk.flatten() for chunk in values.chunks], kind)


def _fixed(chunk: pa.Array) -> bytes | memoryview:
    """Fixed-width values as bytes; a null is a zero."""
    if pa.types.is_boolean(chunk.type):
        chunk = chunk.cast(pa.uint8())
    if not (pa.types.is_integer(chunk.type) or pa.types.is_floating(chunk.type)):
        return "".join(f"{value!r}\n" for value in chunk.to_pylist()).encode()
    if chunk.null_count:
        chunk = chunk.fill_null(0)
    values = np.ascontiguousarray(chunk.to_numpy(zero_copy_only=False))
    return values.view(np.uint8).data
