"""Syscalls: a seccomp filter, as classic BPF, that refuses what no agent has a use for.

It stands behind bubblewrap's namespaces: a program without any capability could do little with
these calls, but each is a way into the kernel that has had holes. Numbers are those of the kernel's
tables for x86-64 and AArch64, which never change.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Mapping

__all__ = ["DENIED", "filter_for"]

DENIED: Mapping[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
"""By name: the number on x86-64 and on AArch64, None where the machine has no such call."""

_ARCHITECTURES = {"x86_64": (0, 0xC000003E, 56), "aarch64": (1, 0xC00000B7, 220)}
"""Column of the table, the kernel's name of the architecture, and the number of `clone`."""

_CLONE3 = 435
_NEW_NAMESPACES = 0x7E02_0000
_X32 = 0x4000_0000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF_0000, 0x0005_0000
_INSTRUCTION = struct.Struct("=HBBI")


def filter_for(machine: str | None = None) -> bytes:
    """The program for a machine as `uname -m` calls it, by default this one.

    Returns:
        Instructions of eight bytes; nothing for a machine whose numbers are not known here.
    """
    known = _ARCHITECTURES.get(machine or platform.machine())
    if known is None:
        return b""
    column, architecture, clone = known
    numbers = sorted(n for row in DENIED.values() if (n := row[column]) is not None)
    # Calls of another kind of program on this machine (32 bits, x32) have other numbers: none are.
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        _fail(errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        _fail(errno.ENOSYS),
        # A library that finds no clone3 takes clone, whose flags can be read here.
        (_EQUAL, 0, 1, _CLONE3),
        _fail(errno.ENOSYS),
    ]
    program += [(_EQUAL, len(numbers) - place + 1, 0, n) for place, n in enumerate(numbers)]
    program += [
        (_EQUAL, 2, 0, clone),
        (_RETURN, 0, 0, _ALLOW),
        _fail(errno.EPERM),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_ANY_BIT, 0, 1, _NEW_NAMESPACES),
        _fail(errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in program)


def _fail(number: int) -> tuple[int, int, int, int]:
    """The call returns -1 with this errno."""
    return _RETURN, 0, 0, _ERROR | number
