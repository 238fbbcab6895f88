from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ft_bench.files import write_json, write_lines, write_text
from ft_bench.plan import Variant


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "f.txt"
    write_text(path, "a\r\nb\nü")
    assert path.read_bytes() == "a\r\nb\nü".encode()


def test_pieces_stand_one_after_the_other(tmp_path: Path) -> None:
    write_lines(tmp_path / "f", (f"{n}\n" for n in range(3)))
    assert (tmp_path / "f").read_text() == "0\n1\n2\n"


def test_a_record_reads_back(tmp_path: Path) -> None:
    variant = Variant(lr=3e-4, epochs=2)
    write_json(tmp_path / "v.json", variant)
    assert Variant.model_validate_json((tmp_path / "v.json").read_bytes()) == variant
    write_json(tmp_path / "d.json", {"name": "ü"})
    assert json.loads((tmp_path / "d.json").read_text("utf-8")) == {"name": "ü"}


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_text(path, "old")

    def torn() -> Iterator[str]:
        yield "new"
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="power"):
        write_lines(path, torn())
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["f"]
