from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from ft_bench.digest import canonical_json, digest
from ft_bench.errors import ChainBroken, DataMissing, StoreBusy
from ft_bench.record import Agreed, Event, Opened
from ft_bench.store import Journal, RunPaths, holder, read_card, read_events, read_manifest

LINES = 5


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    """A run with an opened attempt and four decisions."""
    paths = RunPaths(tmp_path / "run")
    journal = Journal(paths)
    journal.open_attempt()
    for number in range(LINES - 1):
        journal.append(Agreed(key=f"k{number}", value=number))
    journal.close()
    return paths


def _lines(paths: RunPaths) -> list[bytes]:
    return paths.events.read_bytes().splitlines(keepends=True)


def test_what_was_appended_is_read_back(paths: RunPaths) -> None:
    events, size = read_events(paths.events)
    assert [event.seq for event in events] == list(range(LINES))
    assert [event.body.kind for event in events] == ["opened"] + ["agreed"] * (LINES - 1)
    assert size == paths.events.stat().st_size


def test_no_journal_is_no_event(tmp_path: Path) -> None:
    assert read_events(tmp_path / "events.jsonl") == ([], 0)


def test_each_line_covers_the_one_before(paths: RunPaths) -> None:
    events, _ = read_events(paths.events)
    assert events[0].prev == "0" * 64
    for before, after in pairwise(events):
        assert after.prev == before.hash
    assert len({event.hash for event in events}) == LINES


def test_every_byte_counts(paths: RunPaths) -> None:
    whole = paths.events.read_bytes()
    for at in range(0, len(whole) - 1, 5):
        for new in {whole[at] ^ 1, ord("\r"), ord("\n")} - {whole[at]}:
            altered = bytearray(whole)
            altered[at] = new
            paths.events.write_bytes(bytes(altered))
            with pytest.raises(ChainBroken, match=r"events\.jsonl line [1-5] "):
                read_events(paths.events)


def _swap(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1], *lines[3:]]


def _drop(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], *lines[3:]]


def _twice(lines: list[bytes]) -> list[bytes]:
    return [*lines, lines[-1]]


def _blank(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], b"\n", *lines[2:]]


def _by_hand(lines: list[bytes]) -> list[bytes]:
    """One that continues the numbers and names the head, but not by the harness's hash."""
    head = json.loads(lines[-1])
    forged = head | {"seq": LINES, "prev": head["hash"], "body": {"kind": "agreed"}}
    forged["body"] |= {"key": "score", "value": 1.0}
    return [*lines, json.dumps(forged).encode() + b"\n"]


@pytest.mark.parametrize("edit", [_swap, _drop, _twice, _blank, _by_hand])
def test_lines_cannot_be_moved_dropped_repeated_or_added(
    paths: RunPaths, edit: Callable[[list[bytes]], list[bytes]]
) -> None:
    paths.events.write_bytes(b"".join(edit(_lines(paths))))
    with pytest.raises(ChainBroken, match="start anew with --fresh"):
        read_events(paths.events)
    with pytest.raises(ChainBroken):
        Journal(paths)
    assert holder(paths) is None


def test_a_line_of_another_run_is_refused(paths: RunPaths, tmp_path: Path) -> None:
    other = Journal(RunPaths(tmp_path / "other"))
    for number in range(LINES + 1):
        other.append(Agreed(key=f"k{number}", value=number))
    other.close()
    foreign = other.paths.events.read_bytes().splitlines(keepends=True)[-1]
    paths.events.write_bytes(b"".join([*_lines(paths), foreign]))
    with pytest.raises(ChainBroken, match=f"line {LINES + 1} does not continue"):
        read_events(paths.events)


@pytest.mark.parametrize("left", [1, 20, -1])
def test_a_torn_last_line_is_cut_off_and_written_anew(paths: RunPaths, left: int) -> None:
    lines = _lines(paths)
    paths.events.write_bytes(b"".join(lines[:-1]) + lines[-1][:left])
    events, size = read_events(paths.events)
    assert (len(events), size) == (LINES - 1, len(b"".join(lines[:-1])))
    journal = Journal(paths)
    journal.append(Agreed(key="after", value=None))
    journal.close()
    events, size = read_events(paths.events)
    assert events[-1].body == Agreed(key="after", value=None)
    assert size == paths.events.stat().st_size


def test_reading_a_torn_journal_changes_nothing(paths: RunPaths) -> None:
    with paths.events.open("ab") as stream:
        stream.write(b'{"seq":5')
    before = paths.events.read_bytes()
    read_events(paths.events)
    assert paths.events.read_bytes() == before


def test_the_hash_is_of_the_line_without_it(paths: RunPaths) -> None:
    line = json.loads(_lines(paths)[-1])
    claimed = line.pop("hash")
    assert digest(line) == claimed


def test_an_event_is_returned_as_it_will_be_read(tmp_path: Path) -> None:
    journal = Journal(RunPaths(tmp_path / "run"))
    value = {"b": (1, 2), "a": {"z": 1, "y": None}}
    event = journal.append(Agreed(key="k", value=value))
    journal.close()
    (read,), _ = read_events(journal.paths.events)
    assert canonical_json(read) == canonical_json(event)
    assert repr(read.body) == repr(event.body)
    assert event.body.value == {"a": {"y": None, "z": 1}, "b": [1, 2]}


def test_keys_that_are_no_text_do_not_break_the_chain(tmp_path: Path) -> None:
    journal = Journal(RunPaths(tmp_path / "run"))
    event = journal.append(Agreed(key="k", value={10: "a", 9: "b"}))
    journal.close()
    (read,), _ = read_events(journal.paths.events)
    assert read.body.value == event.body.value == {"10": "a", "9": "b"}


def test_what_cannot_be_written_leaves_the_journal_whole(tmp_path: Path) -> None:
    journal = Journal(RunPaths(tmp_path / "run"))
    journal.append(Agreed(key="a", value=1))
    with pytest.raises(ValueError, match=r".+"):
        journal.append(Agreed(key="b", value="\ud800"))
    journal.append(Agreed(key="c", value=2))
    journal.close()
    events, _ = read_events(journal.paths.events)
    assert [event.body.key for event in events] == ["a", "c"]


def test_a_watcher_hears_of_an_event_once_it_is_on_disk(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    paths = RunPaths(tmp_path / "run")

    def watch(event: Event) -> None:
        heard.append((event.seq, len(read_events(paths.events)[0])))

    journal = Journal(paths, watch)
    journal.open_attempt()
    journal.append(Agreed(key="k", value=1))
    journal.close()
    assert heard == [(0, 1), (1, 2)]


def test_attempts_are_counted(paths: RunPaths) -> None:
    journal = Journal(paths)
    assert journal.open_attempt() == 2
    assert journal.events[-1].body == Opened(attempt=2, pid=journal.events[-1].body.pid)
    journal.close()


HOLD = """
import sys
from pathlib import Path
from ft_bench.store import Journal, RunPaths
journal = Journal(RunPaths(Path(sys.argv[1])))
print("held", flush=True)
sys.stdin.readline()
"""


def test_a_second_process_is_refused_until_the_first_is_gone(paths: RunPaths) -> None:
    command = [sys.executable, "-c", HOLD, str(paths.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert holder(paths) == other.pid
        before = paths.events.read_bytes()
        with pytest.raises(StoreBusy, match=rf"process {other.pid}.*ft-bench runs stop run"):
            Journal(paths)
        assert paths.events.read_bytes() == before
        other.kill()
    assert holder(paths) is None
    Journal(paths).close()


def test_a_run_is_held_once_within_a_process_too(paths: RunPaths) -> None:
    journal = Journal(paths)
    with pytest.raises(StoreBusy):
        Journal(paths)
    journal.close()
    Journal(paths).close()


def test_nothing_is_held_where_nothing_is(tmp_path: Path) -> None:
    assert holder(RunPaths(tmp_path)) is None


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path)
    with pytest.raises(DataMissing, match=r"run\.json is not there"):
        read_manifest(paths)
    paths.manifest.write_text('{"run_id": 3}')
    with pytest.raises(DataMissing, match=r"run\.json is not a RunManifest"):
        read_manifest(paths)
    with pytest.raises(DataMissing, match=r"card\.json is not there"):
        read_card(paths.card)


def test_a_journal_of_an_older_version_with_fewer_fields_is_still_whole(paths: RunPaths) -> None:
    """Fields with a default are added now and then; what was written before still stands."""
    prev, lines = "0" * 64, []
    for number, body in enumerate(
        [{"kind": "opened", "attempt": 1, "pid": 1}, {"kind": "settled", "reservation": "a"}]
    ):
        if body["kind"] == "settled":
            body["used"] = {"device_seconds": 1.5}
        bare = {"seq": number, "time": 1.0, "body": body, "prev": prev}
        prev = digest(bare)
        lines.append(canonical_json(bare | {"hash": prev}).encode() + b"\n")
    paths.events.write_bytes(b"".join(lines))
    events, _ = read_events(paths.events)
    assert [event.body.kind for event in events] == ["opened", "settled"]
