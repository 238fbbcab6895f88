"""Load: local files and hub datasets as rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from aidp.errors import AidpError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

FORMATS = ("arrow", "csv", "json", "jsonl", "parquet", "tsv", "txt")


def load_local_dataset(
    path: str | Path, *, format: str | None = None, max_rows: int | None = None
) -> Dataset:
    """Rows of a local file, plain or gzipped, read straight into Arrow.

    Args:
        path: A `.jsonl`, `.json` (a list of records), `.csv`, `.tsv`, `.txt` (column `text`),
            `.parquet` or `.arrow` file, any text one also as `.gz`; or a folder that
            `Dataset.save_to_disk` wrote.
        format: One of these names, where the file's ending does not say.
        max_rows: Only the first so many rows.

    Raises:
        AidpError: The file is missing, empty, not UTF-8, of an unknown format or broken; for
            JSON lines the error's `row` is the broken line.
    """
    import pyarrow as pa

    from aidp.tables import dataset_of

    source = Path(path)
    if not source.exists():
        raise AidpError(f"there is no file {str(source)!r}; give the path of a data file")
    if source.is_dir():
        from datasets import Dataset

        return Dataset.load_from_disk(str(source))
    kind = format or _ending(source)
    if kind not in FORMATS:
        raise AidpError(f"{source.name!r} is of format {kind!r}; {did_you_mean(kind, FORMATS)}")
    try:
        table = _read(source, kind)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise AidpError(f"{source.name!r} is no valid {kind}: {error}") from error
    if table.num_rows == 0:
        raise AidpError(f"{source.name!r} has no rows, expected at least one")
    return dataset_of(table if max_rows is None else table.slice(0, max_rows))


def load_remote_dataset(
    name: str,
    *,
    split: str = "train",
    config: str | None = None,
    revision: str | None = None,
    streaming: bool = False,
) -> Any:
    """Rows of a hub dataset, or of anything else `datasets.load_dataset` knows.

    Args:
        name: Its id, such as `"stanfordnlp/sst2"`.
        split: One split.
        config: Its configuration, where it has several.
        revision: A commit; give it, so that the same rows come next year.
        streaming: Give an `IterableDataset` for `aidp.run_stream` instead of a `Dataset`.

    Raises:
        AidpError: It cannot be had; the sentence carries the cause.
    """
    import datasets

    try:
        return datasets.load_dataset(
            name, config, split=split, revision=revision, streaming=streaming
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise AidpError(
            f"cannot load {name!r} (split {split!r}, revision {revision!r}): {error}; "
            "check the id, the network, or load a local copy with load_local_dataset"
        ) from error


def _ending(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    return Path(name).suffix.removeprefix(".").lower() or "txt"


def _read(path: Path, kind: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    if kind == "parquet":
        return pyarrow.parquet.read_table(path)
    if kind == "arrow":
        return _read_arrow(path)
    with pa.input_stream(str(path), compression="detect") as stream:
        content = stream.read()
    if kind in ("csv", "tsv"):
        return _read_delimited(content, "," if kind == "csv" else "\t")
    if kind == "txt":
        text = content.decode("utf-8").removesuffix("\n")
        lines = [line.removesuffix("\r") for line in text.split("\n")] if text else []
        return pa.table({"text": pa.array(lines, pa.string())})
    return _read_json(content, lines=kind == "jsonl")


def _read_arrow(path: Path) -> pa.Table:
    import pyarrow as pa

    mapped = pa.memory_map(str(path))
    try:
        return pa.ipc.open_stream(mapped).read_all()
    except pa.ArrowInvalid:
        return pa.ipc.open_file(mapped).read_all()


def _read_delimited(content: bytes, separator: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv

    content.decode("utf-8")
    return pyarrow.csv.read_csv(
        pa.BufferReader(content),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=separator,
            newlines_in_values=separator == ",",
            quote_char='"' if separator == "," else False,
        ),
        convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=False, null_values=[""]),
    )


def _read_json(content: bytes, *, lines: bool) -> pa.Table:
    """Records by Python's own parser, which names the broken line and guesses no dates."""
    import json

    text = content.decode("utf-8-sig")
    if not lines:
        try:
            return table_of_records(json.loads(text) if text.strip() else [])
        except json.JSONDecodeError as error:
            raise AidpError(f"the file is no JSON ({error})") from None
    records = []
    for row, line in enumerate(text.split("\n")):
        if not line.strip():
            continue
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise AidpError(f"the line is no JSON ({error})", row=row) from None
    return table_of_records(records)


def table_of_records(records: Any) -> pa.Table:
    """Records as columns: the union of their keys in order of appearance, null where absent.

    Raises:
        AidpError: They are no list of mappings, or a column mixes types.
    """
    import pyarrow as pa

    if not isinstance(records, list):
        raise AidpError(f"the file holds a {type(records).__name__}, expected a list of records")
    names: dict[str, None] = {}
    for row, record in enumerate(records):
        if not isinstance(record, dict):
            raise AidpError(f"the record is {record!r:.60}, expected a mapping", row=row)
        names.update(dict.fromkeys(record))
    columns = {}
    for name in names:
        values = [record.get(name) for record in records]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            raise _mixed(name, values) from None
    return pa.table(columns)


def _mixed(name: str, values: list[Any]) -> AidpError:
    """The first row whose type differs from the first value's."""
    kinds = [(row, type(value)) for row, value in enumerate(values) if value is not None]
    first = kinds[0][1]
    row, other = next(((r, kind) for r, kind in kinds if kind is not first), kinds[0])
    return AidpError(
        f"is a {other.__name__} while earlier rows hold {first.__name__}; use one type",
        column=name,
        row=row,
    )
