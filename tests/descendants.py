"""The processes below one process: tests in other processes start sandboxes too, and must not be taken for its own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Started(NamedTuple):
    """A process, known by its number and when it began, for numbers are used again."""

    pid: int
    begun: str
    words: str
    """Its command line."""


def _all() -> dict[int, tuple[int, Started]]:
    """All processes that run, with their parents."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state, parent, *rest = (path / "stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if state != "Z":
            found[int(path.name)] = (int(parent), Started(int(path.name), rest[17], words))
    return found


def below(pid: int) -> set[Started]:
    """The processes that a process started, and those that these started, as far as they run and have not been left by their parents."""
    running = _all()
    found: set[Started] = set()
    parents = {pid}
    while parents:
        children = {p: one for p, (parent, one) in running.items() if parent in parents}
        found |= set(children.values())
        parents = set(children)
    return found


def still(processes: set[Started]) -> set[Started]:
    """Those of some processes that run, whoever their parent is now."""
    running = {(one.pid, one.begun) for _, one in _all().values()}
    return {one for one in processes if (one.pid, one.begun) in running}
