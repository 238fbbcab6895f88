"""The filter of system calls: what it says for each number, and what the kernel makes of it."""

from __future__ import annotations

import errno
import platform
import struct
import sys
import textwrap
from pathlib import Path

import pytest

from ft_bench.backends.sandbox.syscalls import DENIED, filter_for
from ft_bench.protocols import Cell, Sandbox

MACHINES = {"x86_64": (0, 0xC000003E, 56), "aarch64": (1, 0xC00000B7, 220)}
ALLOWED = {"x86_64": (0, 1, 9, 41, 57, 59, 231), "aarch64": (63, 64, 222, 198, 221, 94)}
NEW_USER = 0x1000_0000


def verdict(program: bytes, number: int, architecture: int, first: int = 0) -> int:
    """Run the filter as the kernel would; 0 where the call is allowed, else its errno."""
    data = struct.pack("=iIQ6Q", number, architecture, 0, first, 0, 0, 0, 0, 0)
    steps = list(struct.iter_unpack("=HBBI", program))
    held = place = 0
    while True:
        code, yes, no, value = steps[place]
        place += 1
        if code == 0x20:
            held = struct.unpack_from("=I", data, value)[0]
        elif code == 0x06:
            return 0 if value == 0x7FFF_0000 else value & 0xFFFF
        else:
            holds = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[code]
            place += yes if holds else no


@pytest.mark.parametrize("machine", MACHINES)
def test_exactly_the_named_calls_are_refused(machine: str) -> None:
    column, architecture, clone = MACHINES[machine]
    program = filter_for(machine)
    denied = {row[column] for row in DENIED.values()} - {None}
    for number in range(600):
        expected = errno.EPERM if number in denied else errno.ENOSYS if number == 435 else 0
        assert verdict(program, number, architecture) == expected, number
    assert not denied & set(ALLOWED[machine])
    assert verdict(program, clone, architecture, 17) == 0
    assert verdict(program, clone, architecture, NEW_USER | 17) == errno.EPERM


def test_other_kinds_of_program_have_no_calls_at_all() -> None:
    program = filter_for("x86_64")
    assert verdict(program, 0, 0x40000003) == errno.ENOSYS  # 32 bits
    assert verdict(program, 0x4000_0000, 0xC000003E) == errno.ENOSYS  # x32
    assert filter_for("sparc64") == b""


@pytest.mark.skipif(platform.machine() not in MACHINES, reason="no filter for this machine")
def test_a_confined_program_is_refused_by_the_kernel(bwrap: Sandbox, tmp_path: Path) -> None:
    column, _, clone = MACHINES[platform.machine()]
    numbers = {name: row[column] for name, row in DENIED.items() if row[column] is not None}
    code = f"""
        import ctypes, errno, os, subprocess, threading
        libc = ctypes.CDLL(None, use_errno=True)
        for name, number in {numbers!r}.items():
            ctypes.set_errno(0)
            print(name, libc.syscall(number, 0, 0, 0, 0, 0), errno.errorcode[ctypes.get_errno()])
        print("clone", libc.syscall({clone}, {NEW_USER}, 0, 0, 0, 0))
        thread = threading.Thread(target=print, args=("threads work",))
        thread.start(); thread.join()
        print(subprocess.run(["echo", "programs too"], capture_output=True, text=True).stdout)
    """
    log = tmp_path / "log"
    (tmp_path / "work").mkdir()
    with log.open("wb") as stream:
        command = [sys.executable, "-S", "-c", textwrap.dedent(code)]
        ended = bwrap.start(
            command, Cell(tmp_path / "work"), stdout=stream.fileno(), stderr=stream.fileno()
        ).wait(60)
    lines = [line for line in log.read_text().splitlines() if line]
    assert ended.returncode == 0, lines
    *refused, fork, threads, programs = lines
    assert refused == [f"{name} -1 EPERM" for name in numbers]
    assert (fork, threads, programs) == ("clone -1", "threads work", "programs too")
