"""The child process of `mathematics`: reads questions from standard input until it closes."""

from __future__ import annotations

import faulthandler
import os
import queue
import sys
import threading
from contextlib import suppress
from typing import Any

import orjson

MEMORY_BYTES = 4 * 2**30
_TOLERANCE = 1e-6
"""Relative difference between numbers that still counts as none: as many digits as `math_verify` compares."""
_NOISE = 1e-20
_SOMEWHERE = 3
GRACE_SECONDS = 5.0
"""The parent ends a question that takes too long; this long after, the child ends itself."""


def _limit_memory() -> None:
    with suppress(ImportError, ValueError, OSError):  # not on this system
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _near(a: Any, b: Any) -> bool:
    """Whether the numbers in two expressions are near each other in proportion to their size.

    `math_verify` compares to so many decimal places: to it 2^-98 is 2^-99. Where this cannot decide, it says yes.
    """
    import sympy

    if a == b:
        return True
    if isinstance(a, sympy.Eq) != isinstance(b, sympy.Eq):
        a, b = (e.rhs if isinstance(e, sympy.Eq) else e for e in (a, b))
    if isinstance(a, (sympy.FiniteSet, sympy.Union)) and type(a) is type(b):
        return len(a.args) != len(b.args) or all(any(_near(x, y) for y in b.args) for x in a.args)
    if isinstance(a, sympy.Eq) and isinstance(b, sympy.Eq):
        return a.lhs != b.lhs or _near(a.rhs, b.rhs)
    if isinstance(a, (sympy.Tuple, sympy.Interval)) and type(a) is type(b):
        return all(_near(x, y) for x, y in zip(a.args, b.args, strict=False))
    if not (isinstance(a, sympy.Expr) and isinstance(b, sympy.Expr)):
        return True
    if (unknowns := a.free_symbols | b.free_symbols) and a.free_symbols == b.free_symbols:
        at = {unknown: sympy.Rational(_SOMEWHERE + 2 * i, 7) for i, unknown in enumerate(sorted(unknowns, key=str))}
        a, b = a.subs(at), b.subs(at)
    if not (a.is_number and b.is_number and a.is_finite and b.is_finite):
        return True
    x, y = (complex(0) if e == 0 else e.evalf(30) for e in (a, b))
    size = max(abs(x), abs(y))
    if size < _NOISE and (a.has(sympy.Add) or b.has(sympy.Add)):
        return True  # what is left of a sum that cancels
    return bool(size == 0 or abs(x - y) <= _TOLERANCE * size)


def _answer(found: str, gold: str, timeout: float) -> str:
    from math_verify import parse, verify
    from math_verify.errors import TimeoutException

    seconds = round(timeout) + 2  # the parent is the one who decides; this is for the case that it is gone
    try:
        parsed = []
        for text in (gold, found):
            wrapped = text if "$" in text or "\\boxed" in text else f"${text}$"
            parsed.append(parse(wrapped, parsing_timeout=seconds) or parse(text, parsing_timeout=seconds))
        if not parsed[1]:
            return "unparsed"
        if not verify(parsed[0], parsed[1], timeout_seconds=seconds):
            return "wrong"
        return "right" if _near(parsed[0][0], parsed[1][0]) else "wrong"
    except (TimeoutException, MemoryError):
        return "timeout"
    except Exception:  # noqa: BLE001 - if a hostile expression breaks the parser, it is no right answer
        return "unparsed"


def _main() -> None:
    import logging
    import warnings

    warnings.simplefilter("ignore")
    logging.disable()
    _limit_memory()
    import math_verify  # noqa: F401 - so that the first question need not wait for it

    questions: queue.Queue[bytes] = queue.Queue()

    def read() -> None:
        for line in sys.stdin.buffer:
            questions.put(line)
        os._exit(0)  # the parent is gone; its result is of no use

    threading.Thread(target=read, daemon=True).start()
    sys.stdout.write('"ready"\n')
    sys.stdout.flush()
    while True:
        found, gold, timeout = orjson.loads(questions.get())
        # One big integer operation lets neither a signal nor another thread of Python in; this watchdog needs neither,
        # and ends the process also where the parent was killed before it could.
        faulthandler.dump_traceback_later(timeout + GRACE_SECONDS, exit=True)
        label = _answer(found, gold, timeout)
        faulthandler.cancel_dump_traceback_later()
        sys.stdout.write(orjson.dumps(label).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
