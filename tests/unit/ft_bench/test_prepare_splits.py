from __future__ import annotations

import gzip
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ft_bench import prepare as module
from ft_bench.errors import ChecksumMismatch, DataMissing
from ft_bench.prepare import Prepared, prepare, prepared, read_rows
from ft_bench.task import Generation, Metric, SourceFile, Splits, TaskSpec

TRAIN = "".join(f"good film {n}\tpositive\n" for n in range(400))
EXTRA = "a note\n"

MAKER = """
from ft_bench.protocols import TaskData

def prepare(source):
    lines = source.path("train.tsv").read_text("utf-8").splitlines()
    pairs = [line.split("\\t") for line in lines]
    rows = [
        {"id": str(n), "prompt": prompt, "answer": answer}
        for n, (prompt, answer) in enumerate(pairs)
    ]
    notes = (source.path("extra/notes.txt").read_text("utf-8").strip(),) \\
        if source.has("extra/notes.txt") else ()
    return TaskData(train=rows[:-20], validation=rows[-20:-10], test=rows[-10:], notes=notes)
"""


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskSpec:
    """A task of one required and one optional file, in a package of its own."""
    package = tmp_path / "path" / "made_up_task"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "prepare.py").write_text(MAKER)
    monkeypatch.syspath_prepend(str(package.parent))
    for name in ("made_up_task", "made_up_task.prepare"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return TaskSpec(
        id="made_up",
        version="1",
        title="Made up",
        licence="none",
        scorer="sst2",
        metric=Metric(name="accuracy", kind="proportion"),
        splits=Splits(train=380, validation=10, test=10),
        generation=Generation(max_new_tokens=4),
        sources=(
            SourceFile(name="train.tsv", sha256=_sha(TRAIN)),
            SourceFile(name="extra/notes.txt", sha256=_sha(EXTRA), optional=True),
        ),
        module="made_up_task",
    )


class Home:
    """Cache, private folder and a data directory."""

    def __init__(self, root: Path) -> None:
        self.cache, self.private, self.data = root / "cache", root / "private", root / "data"
        self.data.mkdir()

    def put(self, name: str, text: str, *, packed: bool = False, folder: str = "made_up") -> Path:
        path = self.data / folder / (f"{name}.gz" if packed else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
        return path

    def prepare(self, spec: TaskSpec, *, fresh: bool = False, data: bool = True) -> Prepared:
        folder = self.data if data else None
        return prepare(spec, self.cache, self.private, data_dir=folder, fresh=fresh)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("folder", ["made_up", "."])
def test_plain_and_packed_files_of_either_layout_give_the_splits(
    spec: TaskSpec, home: Home, packed: bool, folder: str
) -> None:
    home.put("train.tsv", TRAIN, packed=packed, folder=folder)
    made = home.prepare(spec)
    assert made.rows == {"train": 380, "validation": 10, "test": 10}
    assert read_rows(made.test)[0] == {
        "id": "390",
        "prompt": "good film 390",
        "answer": "positive",
    }
    assert made.notes == ()


def test_plain_and_packed_files_give_the_same_digest(spec: TaskSpec, tmp_path: Path) -> None:
    digests = set()
    for packed in (False, True):
        root = tmp_path / str(packed)
        root.mkdir()
        home = Home(root)
        home.put("train.tsv", TRAIN, packed=packed)
        digests.add(home.prepare(spec).data_digest)
    assert len(digests) == 1


def test_an_optional_file_is_used_where_it_is(spec: TaskSpec, home: Home) -> None:
    home.put("train.tsv", TRAIN)
    home.put("extra/notes.txt", EXTRA)
    assert home.prepare(spec).notes == ("a note",)


def test_the_test_split_lies_in_the_private_folder_alone(spec: TaskSpec, home: Home) -> None:
    home.put("train.tsv", TRAIN, packed=True)
    made = home.prepare(spec)
    assert made.test.is_relative_to(home.private)
    assert made.train.is_relative_to(home.cache)
    public = "".join(p.read_text() for p in home.cache.rglob("*") if p.is_file())
    assert "good film 395" not in public
    assert not list(home.cache.rglob("test*"))
    assert home.private.joinpath("tasks", "made_up-1").stat().st_mode & 0o077 == 0


def test_no_unpacked_source_is_left_behind(spec: TaskSpec, home: Home) -> None:
    home.put("train.tsv", TRAIN, packed=True)
    home.prepare(spec)
    home.prepare(spec)
    assert not list(home.cache.rglob("train.tsv"))


def test_a_damaged_plain_file_is_named_with_both_checksums(spec: TaskSpec, home: Home) -> None:
    text = TRAIN.replace("film 7", "film 8")
    path = home.put("train.tsv", text)
    with pytest.raises(ChecksumMismatch) as caught:
        home.prepare(spec)
    for part in (str(path), _sha(TRAIN), _sha(text)):
        assert part in str(caught.value)
    assert caught.value.exit_code == 3


def _other_content(path: Path) -> None:
    path.write_bytes(gzip.compress(TRAIN.replace("film 7", "film 8").encode()))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for at in range(40, len(data) - 20, 7):
        data[at] ^= 0x55
    path.write_bytes(bytes(data))


def _no_gzip(path: Path) -> None:
    path.write_bytes(b"<html>not found</html>")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_other_content, _cut, _flip, _no_gzip, _empty])
def test_a_damaged_packed_file_is_named_with_both_checksums(
    spec: TaskSpec, home: Home, damage: Callable[[Path], None]
) -> None:
    path = home.put("train.tsv", TRAIN, packed=True)
    damage(path)
    with pytest.raises(ChecksumMismatch) as caught:
        home.prepare(spec)
    assert str(path) in str(caught.value)
    assert caught.value.expected == _sha(TRAIN)
    assert caught.value.actual.split()[0] != _sha(TRAIN)
    assert not list(home.cache.rglob("*.jsonl"))
    assert not [item for item in home.cache.rglob("*") if item.is_file()]


def test_every_single_damaged_byte_is_caught(spec: TaskSpec, home: Home) -> None:
    """Whatever the decompressor makes of it, the answer is a sentence that names the file."""
    path = home.put("train.tsv", TRAIN, packed=True)
    whole = path.read_bytes()
    for at in range(10, len(whole), max(1, len(whole) // 60)):
        data = bytearray(whole)
        data[at] ^= 0xFF
        path.write_bytes(bytes(data))
        with pytest.raises(ChecksumMismatch, match=r"train\.tsv\.gz"):
            home.prepare(spec)


def test_damage_is_noticed_after_the_splits_are_there(spec: TaskSpec, home: Home) -> None:
    path = home.put("train.tsv", TRAIN, packed=True)
    home.prepare(spec)
    _flip(path)
    with pytest.raises(ChecksumMismatch):
        home.prepare(spec)
    assert home.prepare(spec, data=False).rows["train"] == 380


def test_a_damaged_optional_file_is_damage_too(spec: TaskSpec, home: Home) -> None:
    home.put("train.tsv", TRAIN)
    home.put("extra/notes.txt", "another note\n")
    with pytest.raises(ChecksumMismatch, match=r"notes\.txt"):
        home.prepare(spec)


def test_a_missing_file_is_named_with_where_it_was_looked_for(spec: TaskSpec, home: Home) -> None:
    with pytest.raises(DataMissing, match=r"data/made_up/train\.tsv is not there .*\.gz") as caught:
        home.prepare(spec)
    assert str(home.data) in str(caught.value)


def test_a_file_without_an_address_asks_for_a_folder(spec: TaskSpec, home: Home) -> None:
    with pytest.raises(DataMissing, match=r"made_up/train\.tsv cannot be .*--data-dir DIR"):
        home.prepare(spec, data=False)


def test_splits_are_made_once(spec: TaskSpec, home: Home) -> None:
    home.put("train.tsv", TRAIN)
    first = home.prepare(spec)
    stamp = first.train.stat().st_mtime_ns
    assert home.prepare(spec) == first
    assert home.prepare(spec, data=False) == first
    assert first.train.stat().st_mtime_ns == stamp
    assert home.prepare(spec, fresh=True) == first
    assert first.train.stat().st_mtime_ns != stamp


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_a_build_that_is_killed_is_made_again(
    spec: TaskSpec, home: Home, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Killed after its n-th file; no half-made split is ever taken for a whole one."""
    home.put("train.tsv", TRAIN)
    left = [after]

    def counting(write: Callable[..., None]) -> Callable[..., None]:
        def wrapped(*args: object) -> None:
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            write(*args)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_lines", counting(module.write_lines))
        patch.setattr(module, "write_json", counting(module.write_json))
        with pytest.raises(KeyboardInterrupt):
            home.prepare(spec)
    with pytest.raises(DataMissing, match="ft-bench tasks prepare made_up"):
        prepared(spec, home.cache, home.private)
    assert home.prepare(spec).rows == {"train": 380, "validation": 10, "test": 10}


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_tampered_split_is_refused(spec: TaskSpec, home: Home, split: str) -> None:
    home.put("train.tsv", TRAIN)
    made = home.prepare(spec)
    path: Path = getattr(made, split)
    path.write_text(path.read_text().replace("positive", "negative"))
    with pytest.raises(ChecksumMismatch, match=f"{split}.jsonl.*made_up --fresh"):
        prepared(spec, home.cache, home.private)
    path.unlink()
    with pytest.raises(ChecksumMismatch, match="no file"):
        prepared(spec, home.cache, home.private)
    assert home.prepare(spec, fresh=True) == made


def test_another_version_is_prepared_on_its_own(spec: TaskSpec, home: Home) -> None:
    home.put("train.tsv", TRAIN)
    home.prepare(spec)
    newer = spec.model_copy(update={"version": "2"})
    with pytest.raises(DataMissing, match="not prepared"):
        prepared(newer, home.cache, home.private)


def test_a_damaged_download_is_not_kept(
    spec: TaskSpec, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt brings an error page; the next one downloads again."""
    served = ["<html>busy</html>", TRAIN]

    def fetch(url: str, target: Path, progress: object) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(served.pop(0))

    monkeypatch.setattr(module, "fetch", fetch)
    online = spec.model_copy(
        update={"sources": (SourceFile(name="train.tsv", sha256=_sha(TRAIN), url="http://x/y"),)}
    )
    with pytest.raises(ChecksumMismatch, match="fetch it again"):
        home.prepare(online, data=False)
    assert home.prepare(online, data=False).rows["train"] == 380
    assert served == []


def test_texts_of_any_script_survive(tmp_path: Path) -> None:
    from ft_bench.digest import canonical_json
    from ft_bench.files import write_lines

    rows = [{"id": "1", "prompt": "法律\u2028\x0b\r\n\t\0", "answer": "ü\U0001f600"}]
    write_lines(tmp_path / "rows.jsonl", (canonical_json(row) + "\n" for row in rows))
    assert read_rows(tmp_path / "rows.jsonl") == rows
