"""A workspace keeps every path inside, and can be put back to where it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from trex_agent.executor.workspace import OutOfBounds, Workspace, WorkspaceError


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.jsonl").write_text('{"prompt": "1"}\n{"prompt": "2"}\n')
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "test.jsonl").write_text("secret\n")
    return Workspace(tmp_path / "node", {"train.jsonl": tmp_path / "data" / "rows.jsonl"})


def test_a_file_is_written_read_and_edited(workspace: Workspace) -> None:
    workspace.write("a/b/pipeline.py", "x = 1\ny = 2\n")
    workspace.edit("a/b/pipeline.py", "x = 1", "x = 3")
    assert workspace.read("a/b/pipeline.py") == "x = 3\ny = 2"
    assert workspace.read(f"{workspace.root}/a/b/pipeline.py", first=2) == "y = 2"
    assert workspace.read("a/b/pipeline.py", lines=1) == "x = 3\n(1 more lines of 2)"


def test_the_data_is_read_by_its_name_and_never_written(workspace: Workspace) -> None:
    before = workspace.data["train.jsonl"].read_text()
    assert workspace.read("train.jsonl").startswith('{"prompt": "1"}')
    assert workspace.read("./train.jsonl") == workspace.read("train.jsonl")
    for change in (
        lambda: workspace.write("train.jsonl", "x"),
        lambda: workspace.edit("train.jsonl", '"1"', '"3"'),
    ):
        with pytest.raises(OutOfBounds):
            change()
    assert workspace.data["train.jsonl"].read_text() == before


@pytest.mark.parametrize(
    "path",
    [
        "../private/test.jsonl",
        "a/../../private/test.jsonl",
        "/etc/passwd",
        "{private}/test.jsonl",
        "{root}/../private/test.jsonl",
        "link",
        "link.d/test.jsonl",
        "train.jsonl/x",
    ],
)
@pytest.mark.parametrize("verb", ["read", "write", "edit", "open"])
def test_no_path_leads_out(workspace: Workspace, path: str, verb: str) -> None:
    private = workspace.root.parent / "private"
    (workspace.root / "link").symlink_to(private / "test.jsonl")
    (workspace.root / "link.d").symlink_to(private)
    given = path.format(private=private, root=workspace.root)
    verbs: dict[str, Callable[[], object]] = {
        "read": lambda: workspace.read(given),
        "write": lambda: workspace.write(given, "forged"),
        "edit": lambda: workspace.edit(given, "secret", "forged"),
        "open": lambda: workspace.open(given),
    }
    with pytest.raises(OutOfBounds):
        verbs[verb]()
    assert (private / "test.jsonl").read_text() == "secret\n"


def test_what_is_no_regular_file_is_no_file(workspace: Workspace) -> None:
    os.mkfifo(workspace.root / "pipe")
    (workspace.root / "folder").mkdir()
    for path in ("pipe", "folder", ".", "", "missing", "a\0b"):
        with pytest.raises(WorkspaceError):
            workspace.read(path)
    with pytest.raises(WorkspaceError):
        workspace.write("pipe", "x")


def test_an_edit_needs_the_text_exactly_once(workspace: Workspace) -> None:
    workspace.write("a.txt", "one one two")
    for old in ("three", "one", ""):
        with pytest.raises(WorkspaceError, match="expected once"):
            workspace.edit("a.txt", old, "x")
    assert workspace.read("a.txt") == "one one two"


def test_what_is_too_large_for_one_call_is_refused(workspace: Workspace) -> None:
    (workspace.root / "large").write_bytes(b"x" * 4_000_001)
    with pytest.raises(WorkspaceError, match="larger than"):
        workspace.read("large")
    with pytest.raises(WorkspaceError, match="too many"):
        workspace.write("larger", "x" * 4_000_001)


def test_a_call_that_was_cut_short_finds_the_files_as_they_were(workspace: Workspace) -> None:
    """The first half of the work of a dead process is taken back before the call is made again."""
    workspace.write("log", "begun\n")
    (workspace.root / "deep").mkdir()
    (workspace.root / "deep" / "shut").write_text("x")
    (workspace.root / "deep" / "shut").chmod(0o200)
    os.mkfifo(workspace.root / "pipe")
    workspace.hold("1.1.1.0")
    workspace.write("log", "begun\nhalf\n")
    workspace.write("new", "x")
    again = Workspace(workspace.root, workspace.data)
    again.hold("1.1.1.0")
    assert again.read("log") == "begun"
    assert sorted(path.name for path in again.root.iterdir()) == ["deep", "log", "train.jsonl"]
    assert os.readlink(again.root / "train.jsonl") == str(workspace.data["train.jsonl"])


def test_another_call_begins_with_what_the_last_one_left(workspace: Workspace) -> None:
    workspace.hold("1.1.1.0")
    workspace.write("log", "done")
    workspace.hold("1.1.1.1")
    assert workspace.read("log") == "done"
    workspace.forget()
    assert [path.name for path in workspace.root.parent.glob(".node*")] == []
