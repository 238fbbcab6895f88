"""Lineage: the rows of a run, the rows that left and the manifest, as files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from datasets import Dataset

    from aidp.outcome import RunOutcome

ROWS, REJECTS, MANIFEST = "data.jsonl", "rejects.parquet", "lineage.json"


def save(outcome: RunOutcome, folder: str | Path) -> Path:
    """Write `data.jsonl`, `rejects.parquet` and `lineage.json` into `folder`, that one last.

    Each file appears whole or not at all.

    Returns:
        The folder.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    _whole(target / ROWS, lambda path: write_jsonl(outcome.dataset, path))
    _whole(target / REJECTS, lambda path: write_parquet(outcome.rejects, path))
    text = json.dumps(outcome.lineage, ensure_ascii=False, indent=2) + "\n"
    _whole(target / MANIFEST, lambda path: path.write_text(text, encoding="utf-8"))
    return target


def write_parquet(dataset: Dataset, path: Path) -> None:
    """A Parquet file, its features in the metadata."""
    import pyarrow.parquet

    pyarrow.parquet.write_table(dataset.data.table, path)


def write_jsonl(dataset: Dataset, path: Path) -> None:
    """One JSON object per line, UTF-8, keys in the order of the columns."""
    with path.open("w", encoding="utf-8") as sink:
        for batch in dataset.data.table.to_batches(max_chunksize=10_000):
            for record in batch.to_pylist():
                sink.write(json.dumps(record, ensure_ascii=False) + "\n")


def describe(lineage: Mapping[str, Any]) -> str:
    """The lineage as lines of text: what came in, what each operator did, what came out."""
    lines = [
        f"{one['id']}: {one['rows_used']:,} of {one['rows']:,} rows" for one in lineage["sources"]
    ]
    for position, account in enumerate(lineage["steps"]):
        reasons = ", ".join(f"{n:,} {why}" for why, n in account["reasons"].items())
        added = f", {account['rows_added']:,} added" if account["rows_added"] else ""
        lines.append(
            f"{position} {account['operator']}: {account['rows_in']:,} -> "
            f"{account['rows_out']:,}{' (' + reasons + ')' if reasons else ''}{added}"
        )
    if lineage["rows_over_max_samples"]:
        lines.append(f"max_samples: {lineage['rows_over_max_samples']:,} rows over it left")
    lines.append(f"rows: {lineage['rows']:,}, content {lineage['output_hash']}")
    return "\n".join(lines)


def _whole(path: Path, write: Any) -> None:
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial{path.suffix}")
    write(partial)
    os.replace(partial, path)
