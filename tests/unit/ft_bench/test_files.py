from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ft_bench.files import open_beneath, write_json, write_lines, write_text
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


def test_a_file_below_a_folder_is_opened_by_any_way_that_stays_in_it(tmp_path: Path) -> None:
    inside = tmp_path / "work"
    (inside / "deep").mkdir(parents=True)
    (inside / "deep" / "a").write_text("a")
    (inside / "link").symlink_to("deep/a")
    for path in (inside / "deep" / "a", inside / "link", inside / "deep" / ".." / "link"):
        stream = open_beneath(inside, path)
        assert stream is not None
        with stream:
            assert stream.read() == b"a"


def test_nothing_outside_a_folder_is_opened_and_nothing_that_is_no_file(tmp_path: Path) -> None:
    inside = tmp_path / "work"
    inside.mkdir()
    (tmp_path / "secret").write_text("s")
    (inside / "link").symlink_to("../secret")
    (inside / "up").symlink_to("..")
    os.mkfifo(inside / "pipe")
    for name in ("link", "up/secret", "../secret", "pipe", "gone", ".", "/etc/hostname"):
        assert open_beneath(inside, inside / name) is None


def test_writing_does_not_follow_a_link_that_waits_under_the_temporary_name(
    tmp_path: Path,
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("old")
    part = f".a.{os.getpid()}.{threading.get_ident()}"
    (tmp_path / part).symlink_to(victim)
    write_text(tmp_path / "a", "new")
    assert (victim.read_text(), (tmp_path / "a").read_text()) == ("old", "new")
