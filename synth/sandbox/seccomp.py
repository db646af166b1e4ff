"""A filter of system calls for bubblewrap, as the kernel's classic BPF.

Namespaces leave the whole kernel within reach. The filter takes away what no test of a program needs, and what breaks out of sandboxes have
used: new processes, tracing, keys, mounts, further namespaces, io_uring, loading code into the kernel, and sockets. Threads are left.
"""

from __future__ import annotations

import platform
import struct

__all__ = ["filter_for"]

_ARCHITECTURES: dict[str, tuple[int, int, tuple[int, ...]]] = {
    # By machine: its number in linux/audit.h, that of `clone`, and those of the calls that are not allowed.
    "x86_64": (
        0xC000003E,
        56,
        # fork vfork socket ptrace pivot_root mount umount2 init_module delete_module kexec_load add_key request_key keyctl unshare
        # perf_event_open setns process_vm_readv process_vm_writev finit_module bpf userfaultfd
        (57, 58, 41, 101, 155, 165, 166, 175, 176, 246, 248, 249, 250, 272, 298, 308, 310, 311, 313, 321, 323),
    ),
    "aarch64": (
        0xC00000B7,
        220,
        # umount2 mount pivot_root unshare kexec_load init_module delete_module ptrace socket add_key request_key keyctl perf_event_open setns
        # process_vm_readv process_vm_writev finit_module bpf userfaultfd
        (39, 40, 41, 97, 104, 105, 106, 117, 198, 217, 218, 219, 241, 268, 270, 271, 273, 280, 282),
    ),
}
_EVERYWHERE = (425, 426, 427, 428, 429, 430, 431, 432, 433)
"""io_uring_setup io_uring_enter io_uring_register open_tree move_mount fsopen fsconfig fsmount fspick: equal on all machines."""
_CLONE3 = 435
_THREAD = 0x10000
"""CLONE_THREAD in the flags of `clone`, its first argument."""
_X32 = 0x40000000
"""Numbers from here on are calls of x86_64 by another table."""
_EPERM, _ENOSYS = 1, 38
_LOAD, _EQUAL, _AT_LEAST, _BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Offsets in `struct seccomp_data`; of the argument the lower half, as both machines are little-endian."""
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000


def filter_for(machine: str | None = None) -> bytes | None:
    """The filter for a machine, as bubblewrap's `--seccomp` reads it; None where there is none.

    Args:
        machine: as `uname -m` says; this one if not given.
    """
    known = _ARCHITECTURES.get(machine or platform.machine())
    if known is None:
        return None
    architecture, clone, denied = known
    lines = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _ERROR | _EPERM),
    ]
    for number in (*denied, *_EVERYWHERE):
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERROR | _EPERM)]
    # glibc then uses `clone`, whose flags can be read here: those of `clone3` are behind a pointer.
    lines += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERROR | _ENOSYS)]
    lines += [
        (_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_BITS, 1, 0, _THREAD),
        (_RETURN, 0, 0, _ERROR | _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("<HBBI", *line) for line in lines)
