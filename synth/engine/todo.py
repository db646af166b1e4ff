"""The input of a run: checked before any call, then read in bursts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice

from synth.errors import InputError
from synth.sources import Given, Source

__all__ = ["Todo", "check_rows", "first_of_input"]

BURST = 64
"""Problems read at once, at most; fewer where fewer are in flight."""
BURST_SECONDS = 0.01
"""Seconds of reading before other tasks have a turn."""


def check_rows(source: Source, skip_invalid: bool, report: Callable[[str], None]) -> int:
    """Scan the whole input; returns how many problems it has.

    Args:
        source: the input.
        skip_invalid: continue with the good rows where some are bad, and report these.
        report: called with lines to show the user.

    Raises:
        InputError: rows are bad, and `skip_invalid` is not set, or no row is good.
    """
    scan = source.scan()
    if scan.bad:
        if not scan.good:
            raise source.nothing_fits(scan)
        n = len(scan.bad)
        shown = "\n".join(f"  line {b.line}: {b.why}" for b in scan.bad[:20]) + (
            f"\n  … and {n - 20} more" if n > 20 else ""
        )
        rows = f"{n} of {n + scan.good} rows {'are' if n != 1 else 'is'} not usable:\n{shown}"
        if not skip_invalid:
            fix = "correct them, or continue with the good ones: --skip-invalid"
            raise InputError(rows, where=source.name, fix=fix)
        report(f"{source.name}: {rows}\n  continuing with the other {scan.good}")
    return scan.problems


def first_of_input(source: Source, limit: int | None) -> Iterator[Given]:
    """The problems of the input; only the first `limit`, where a limit is given."""
    for count, problem in enumerate(source.problems()):
        if limit is not None and count >= limit:
            return
        yield problem


class Todo:
    """The problems that are to be begun, each given once, in order.

    They are read in bursts: one by one, between all else there is to do, each would find the processor's caches cold, which is
    several times as slow. A slow source delays nobody.

    Args:
        problems: read as far as they are asked for; never started twice, so that what is read ahead when a yield is reached is
            there when more is needed.
        burst: how many are read at once, at most.
    """

    def __init__(self, problems: Iterator[Given], burst: int) -> None:
        self._problems = _in_bursts(problems, min(BURST, burst))
        self._seen: list[Given] = []

    def __iter__(self) -> Iterator[Given]:
        while (given := self.next()) is not None:
            yield given

    def next(self) -> Given | None:
        """The next problem; None where none is left."""
        return self._seen.pop() if self._seen else next(self._problems, None)

    def is_any_left(self) -> bool:
        """Whether there is a next problem; it stays the next one."""
        if not self._seen and (given := next(self._problems, None)) is not None:
            self._seen.append(given)
        return bool(self._seen)


def _in_bursts(problems: Iterator[Given], most: int) -> Iterator[Given]:
    while True:
        burst: list[Given] = []
        ends = time.perf_counter() + BURST_SECONDS
        for given in islice(problems, most):
            burst.append(given)
            if time.perf_counter() > ends:
                break
        if not burst:
            return
        yield from burst
