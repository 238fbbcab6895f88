"""Sandboxes: what a confined program can reach, what it may use, and that nothing outlives it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ft_bench import registry
from ft_bench.backends.sandbox import bubblewrap
from ft_bench.backends.sandbox.interpreter import interpreter_paths
from ft_bench.errors import IntegrityError, PrerequisiteError, UnknownName
from ft_bench.protocols import Cell, Ended, Limits, Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes read /proc")

SMALL = Limits(
    seconds=60, memory_bytes=300 << 20, processes=60, file_bytes=8 << 20, disk_bytes=16 << 20
)


@pytest.fixture(params=["none", "process", "bwrap"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    if request.param == "bwrap":
        found: Sandbox = request.getfixturevalue("bwrap")
        return found
    found = registry.backend("sandbox", request.param)()
    return found


@pytest.fixture(params=["process", "bwrap"])
def limiting(request: pytest.FixtureRequest) -> Sandbox:
    if request.param == "bwrap":
        found: Sandbox = request.getfixturevalue("bwrap")
        return found
    found = registry.backend("sandbox", request.param)()
    return found


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    folder = tmp_path / "private"
    folder.mkdir()
    path = folder / "test.jsonl"
    path.write_text("the answer")
    return path


def run(sandbox: Sandbox, command: list[str], cell: Cell) -> tuple[Ended, str]:
    """Run to the end; what it wrote to stdout and stderr."""
    log = cell.workspace.parent / "log"
    with log.open("wb") as stream:
        number = stream.fileno()
        ended = sandbox.start(command, cell, stdout=number, stderr=number).wait(120)
    return ended, log.read_text("utf-8", "replace")


def python(sandbox: Sandbox, code: str, cell: Cell) -> tuple[Ended, str]:
    return run(sandbox, [sys.executable, "-S", "-c", textwrap.dedent(code)], cell)


def wait_for(path: Path) -> str:
    until = time.monotonic() + 60
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < until, f"{path} was not written"
        time.sleep(0.02)
    return path.read_text().strip()


def living(marker: str) -> list[str]:
    """Processes with `marker` in their command line, by any session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                text = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if marker in text and state not in "ZX":
                found.append(text)
    return found


# --- how a program starts and ends ----------------------------------------------------------


def test_streams_exit_status_and_folder(sandbox: Sandbox, workspace: Path) -> None:
    ended, text = run(sandbox, ["sh", "-c", "pwd; echo made > it; exit 7"], Cell(workspace))
    assert ended == Ended(7, "exit")
    assert text.strip() == str(workspace)
    assert (workspace / "it").read_text() == "made\n"


def test_a_command_that_is_not_there_ends_with_127(sandbox: Sandbox, workspace: Path) -> None:
    ended, text = run(sandbox, ["no-such-program"], Cell(workspace))
    assert ended.returncode == 127
    assert "no-such-program" in text


def test_the_installed_packages_can_be_used(sandbox: Sandbox, workspace: Path) -> None:
    code = "import ft_bench.protocols, numpy; print(numpy.ones(3).sum())"
    ended, text = run(sandbox, ["python", "-c", code], Cell(workspace, env=_path()))
    assert (ended.returncode, text.strip()) == (0, "3.0")


def _path() -> dict[str, str]:
    return {"PATH": f"{sys.prefix}/bin:/usr/bin:/bin"}


def test_time_is_up_for_the_whole_tree(sandbox: Sandbox, workspace: Path) -> None:
    begin = time.monotonic()
    cell = Cell(workspace, limits=Limits(seconds=1.0))
    ended, _ = run(sandbox, ["sh", "-c", "sleep 654.1 & sleep 654.1"], cell)
    assert ended.reason == "time"
    assert time.monotonic() - begin < 30
    assert living("sleep 654.1") == []


DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("daemon", "w").write("up")
        os.execvp("sleep", ["sleep", "654.2"])
    os._exit(0)
while not os.path.exists("daemon"):
    time.sleep(0.01)
time.sleep(0.5)
"""


def test_a_daemon_is_dead_and_counted_when_its_program_ends(
    sandbox: Sandbox, workspace: Path
) -> None:
    ended, _ = python(sandbox, DAEMON, Cell(workspace))
    assert (ended.returncode, ended.reason, ended.strays) == (0, "exit", 1)
    assert living("sleep 654.2") == []


def test_a_daemon_is_dead_when_the_harness_kills(sandbox: Sandbox, workspace: Path) -> None:
    code = textwrap.dedent(DAEMON) + "open('ready', 'w').write('1')\ntime.sleep(600)"
    program = sandbox.start([sys.executable, "-S", "-c", code], Cell(workspace))
    wait_for(workspace / "ready")
    with pytest.raises(TimeoutError):
        program.wait(0.05)
    program.kill()
    assert program.wait(0).reason == "killed"
    assert living("sleep 654.2") == []
    program.kill()  # again does nothing


def test_one_thread_may_kill_while_another_waits(sandbox: Sandbox, workspace: Path) -> None:
    program = sandbox.start(["sleep", "654.3"], Cell(workspace))
    found: list[Ended] = []
    waiter = threading.Thread(target=lambda: found.append(program.wait()))
    waiter.start()
    program.kill()
    waiter.join(30)
    assert [ended.reason for ended in found] == ["killed"]


HARNESS = """
import sys, time
from pathlib import Path
from ft_bench import registry
from ft_bench.protocols import Cell
sandbox = registry.backend("sandbox", sys.argv[1])()
program = sandbox.start(["sh", "-c", "echo up > up; setsid sleep 654.4"], Cell(Path(sys.argv[2])))
time.sleep(600)
"""


def test_a_harness_that_is_killed_takes_its_programs_along(
    sandbox: Sandbox, workspace: Path
) -> None:
    command = [sys.executable, "-c", HARNESS, sandbox.name, str(workspace)]
    with subprocess.Popen(command) as harness:
        wait_for(workspace / "up")
        harness.kill()
    until = time.monotonic() + 30
    while living("sleep 654.4") and time.monotonic() < until:
        time.sleep(0.05)
    assert living("sleep 654.4") == []


def test_a_program_that_kills_its_warden_is_an_integrity_error(workspace: Path) -> None:
    sandbox = registry.backend("sandbox", "process")()
    code = "kill -9 $PPID; setsid sleep 654.5"
    with pytest.raises(IntegrityError, match="warden"):
        run(sandbox, ["sh", "-c", code], Cell(workspace))
    until = time.monotonic() + 10
    while living("sleep 654.5") and time.monotonic() < until:
        time.sleep(0.05)
    assert living("sleep 654.5") == []


# --- limits ---------------------------------------------------------------------------------


def test_memory(limiting: Sandbox, workspace: Path) -> None:
    code = "import time; x = bytearray(500 << 20); time.sleep(60)"
    assert python(limiting, code, Cell(workspace, limits=SMALL))[0].reason == "memory"


def test_memory_that_no_process_has_mapped_counts(limiting: Sandbox, workspace: Path) -> None:
    code = """
    import os, time
    for n in range(80):
        fd = os.memfd_create("x"); os.write(fd, bytes(7 << 20))
    time.sleep(60)
    """
    assert python(limiting, code, Cell(workspace, limits=SMALL))[0].reason == "memory"


def test_a_fork_bomb(limiting: Sandbox, workspace: Path) -> None:
    code = """
    import os, time
    while True:
        try:
            if os.fork() == 0:
                time.sleep(600)
        except OSError:
            time.sleep(0.1)
            raise SystemExit(9)
    """
    ended, _ = python(limiting, code, Cell(workspace, limits=SMALL))
    assert ended.reason == "processes" or (ended.reason, ended.returncode) == ("exit", 9)


def test_one_long_file_is_cut(limiting: Sandbox, workspace: Path) -> None:
    code = "open('big', 'wb').write(bytes(12 << 20))"
    ended, text = python(limiting, code, Cell(workspace, limits=SMALL))
    assert ended.returncode != 0
    assert "File too large" in text or ended.reason == "signal"
    assert (workspace / "big").stat().st_size <= SMALL.file_bytes


def test_many_files_are_too_much(limiting: Sandbox, workspace: Path) -> None:
    code = """
    import time
    for n in range(6):
        open(str(n), "wb").write(bytes(4 << 20))
    time.sleep(60)
    """
    assert python(limiting, code, Cell(workspace, limits=SMALL))[0].reason == "disk"


def test_deleted_files_that_are_open_still_fill_the_disk(
    limiting: Sandbox, workspace: Path
) -> None:
    code = """
    import os, time
    keep = []
    for n in range(6):
        keep.append(open(str(n), "wb", buffering=0)); keep[-1].write(bytes(4 << 20))
        os.unlink(str(n))
    time.sleep(60)
    """
    assert python(limiting, code, Cell(workspace, limits=SMALL))[0].reason == "disk"


def test_the_scratch_folders_have_an_end(bwrap: Sandbox, workspace: Path) -> None:
    code = """
    for folder in ("/tmp", "/dev/shm", "/dev", "/", "/run"):
        try:
            for n in range(6):
                open(f"{folder}/{n}", "wb").write(bytes(4 << 20))
        except OSError as error:
            print(folder, error.strerror)
    """
    _, text = python(bwrap, code, Cell(workspace, limits=SMALL))
    assert text.splitlines() == [
        "/tmp No space left on device",
        "/dev/shm No space left on device",
        "/dev Read-only file system",
        "/ Read-only file system",
        "/run Read-only file system",
    ]


# --- what cannot be reached -----------------------------------------------------------------


def test_the_environment_of_the_harness_stays_outside(
    limiting: Sandbox, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "sk-very-secret")
    cell = Cell(workspace, env={"FT_BENCH_TOKEN": "given"})
    _, text = run(limiting, ["sh", "-c", "env; cat /proc/*/environ"], cell)
    own = [line for line in text.split("\0")[0].splitlines() if "=" in line]
    assert "FT_BENCH_TOKEN=given" in own
    assert f"HOME={workspace}" in own
    if limiting.name == "bwrap":
        assert "very-secret" not in text
    else:
        assert "very-secret" not in "\n".join(own)


def test_bwrap_shows_no_file_but_what_the_cell_names(
    bwrap: Sandbox, workspace: Path, secret: Path
) -> None:
    data = workspace.parent / "train.jsonl"
    data.write_text("rows\n")
    tries = f"""
    cat {data}
    for path in {secret} {Path.home()}/.ssh /etc/shadow /etc/passwd {Path.cwd()}/pyproject.toml; do
        test -e $path && echo REACHED $path
    done
    find {workspace.parent.parent} ~ /home -name test.jsonl 2>/dev/null
    ls {workspace.parent}
    """
    ended, text = run(bwrap, ["sh", "-c", tries], Cell(workspace, visible=(data,)))
    assert ended.returncode == 0
    assert text.split() == ["rows", "train.jsonl", "workspace"]


def test_bwrap_hides_a_folder_within_a_visible_one(
    bwrap: Sandbox, workspace: Path, secret: Path
) -> None:
    cell = Cell(workspace, visible=(workspace.parent,), hidden=(secret.parent,))
    _, text = run(bwrap, ["sh", "-c", f"ls {workspace.parent} {secret.parent}"], cell)
    assert "workspace" in text
    assert "test.jsonl" not in text


def test_bwrap_keeps_the_workspace_within_a_hidden_folder(bwrap: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "runs" / "other").mkdir(parents=True)
    workspace = tmp_path / "runs" / "mine" / "workspace"
    workspace.mkdir(parents=True)
    decoy = tmp_path / "decoy"
    decoy.write_text("not it")
    inside = tmp_path / "runs" / "mine" / "card.json"
    cell = Cell(
        workspace,
        visible=(tmp_path,),
        hidden=(tmp_path / "runs",),
        decoys={inside: decoy},
    )
    script = f"ls {tmp_path}/runs; cat {inside}; echo more >> {inside}; echo x > made"
    ended, text = run(bwrap, ["sh", "-c", script], cell)
    assert (ended.returncode, text) == (0, "mine\nnot it")
    assert decoy.read_text() == "not itmore\n"
    assert not inside.exists()
    assert (workspace / "made").exists()


def test_bwrap_lets_nothing_be_written_outside(
    bwrap: Sandbox, workspace: Path, secret: Path
) -> None:
    tries = f"""
    echo x > {workspace.parent}/x # this /tmp is its own
    for path in {secret} /usr/x {sys.prefix}/x /etc/x /x; do
        (echo x > $path) 2>/dev/null && echo WROTE $path
    done
    # Written with the value that they have: the test must not change the machine.
    for path in /proc/sys/kernel/core_pattern /proc/sys/vm/swappiness; do
        (cat $path > $path) 2>/dev/null && echo WROTE $path
    done
    mount -t tmpfs none /usr 2>/dev/null && echo MOUNTED
    true
    """
    cell = Cell(workspace, visible=(secret.parent,))
    ended, text = run(bwrap, ["sh", "-c", tries], cell)
    assert (ended.returncode, text) == (0, "")
    assert not (workspace.parent / "x").exists()
    assert secret.read_text() == "the answer"


def test_bwrap_shows_no_process_but_its_own(bwrap: Sandbox, workspace: Path) -> None:
    code = f"""
    import os
    print(sorted(int(n) for n in os.listdir("/proc") if n.isdigit())[-1] < 20)
    for pid in (os.getppid(), {os.getpid()}):
        try:
            os.kill(pid, 0)
            print(open(f"/proc/{{pid}}/cmdline").read().split(chr(0))[0].rpartition("/")[2])
        except OSError as error:
            print(type(error).__name__)
    """
    _, text = python(bwrap, code, Cell(workspace))
    assert text.split() == ["True", "bwrap", "ProcessLookupError"]


def test_bwrap_tells_a_program_nothing_of_its_mounts_by_a_command_line(
    bwrap: Sandbox, workspace: Path, secret: Path
) -> None:
    cell = Cell(workspace, visible=(secret.parent,))
    _, text = run(bwrap, ["sh", "-c", "cat /proc/*/cmdline"], cell)
    assert "--args" in text
    assert secret.parent.name not in text


def test_bwrap_gives_no_further_namespace_and_no_capability(
    bwrap: Sandbox, workspace: Path
) -> None:
    tries = "unshare -Ur true 2>/dev/null && echo NESTED; grep Cap /proc/self/status"
    _, text = run(bwrap, ["sh", "-c", tries], Cell(workspace))
    assert {line.split()[1] for line in text.splitlines()} == {"0" * 16}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_bwrap_has_no_network_unless_granted(
    bwrap: Sandbox, workspace: Path, listener: socket.socket
) -> None:
    address = listener.getsockname()
    code = f"""
    import socket
    try:
        socket.create_connection({address!r}, 5).close(); print("connected")
    except OSError as error:
        print(type(error).__name__)
    """
    assert python(bwrap, code, Cell(workspace))[1].strip() == "ConnectionRefusedError"
    assert python(bwrap, code, Cell(workspace, network=True))[1].strip() == "connected"


def test_bwrap_reaches_a_socket_file_that_it_is_shown(bwrap: Sandbox, workspace: Path) -> None:
    path = workspace.parent / "lab.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        code = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({str(path)!r})"
        ended, text = python(bwrap, code, Cell(workspace, visible=(path,)))
    assert (ended.returncode, text) == (0, "")


# --- what is missing ------------------------------------------------------------------------


def test_bwrap_names_the_package_that_is_missing(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(workspace))
    monkeypatch.setattr(bubblewrap, "_bwrap", bubblewrap._bwrap.__wrapped__)
    with pytest.raises(PrerequisiteError, match=r"install bubblewrap.*--isolation none or process"):
        registry.backend("sandbox", "bwrap")().start(["true"], Cell(workspace))


def test_what_should_be_visible_must_be_there(bwrap: Sandbox, workspace: Path) -> None:
    with pytest.raises(PrerequisiteError, match="should be visible"):
        bwrap.start(["true"], Cell(workspace, visible=(workspace / "gone",)))


def test_an_unknown_isolation_is_named() -> None:
    with pytest.raises(UnknownName, match="did you mean 'bwrap'"):
        registry.backend("sandbox", "bwarp")


def test_a_checkout_shows_its_packages_alone() -> None:
    names = {path.name for path in interpreter_paths()}
    assert Path(sys.prefix).name in names
    assert "results" not in names


def test_a_workspace_that_was_exchanged_for_a_link_gets_nothing_run(
    limiting: Sandbox, tmp_path: Path
) -> None:
    """What was looked at is a folder; when the program starts it is a link to another."""
    folder, other = tmp_path / "folder", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    status = folder.stat()
    pinned = (status.st_dev, status.st_ino)
    command = ["bash", "-c", "echo ran > written; env > variables"]
    cell = Cell(workspace=folder, pinned=pinned, env={"LANG": "C.UTF-8"})
    assert limiting.start(command, cell).wait().returncode == 0
    assert (folder / "written").read_text() == "ran\n"
    folder.rename(tmp_path / "kept")
    folder.symlink_to(other)
    assert limiting.start(command, cell).wait().returncode == 125
    assert list(other.iterdir()) == []
