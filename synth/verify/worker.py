"""The child process of `mathematics`: reads questions from standard input until it closes."""

from __future__ import annotations

import faulthandler
import os
import queue
import sys
import threading
from contextlib import suppress

import orjson

MEMORY_BYTES = 4 * 2**30
GRACE_SECONDS = 5.0
"""The parent ends a question that takes too long; this long after, the child ends itself."""


def _limit_memory() -> None:
    with suppress(ImportError, ValueError, OSError):  # not on this system
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


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
        return "right" if verify(parsed[0], parsed[1], timeout_seconds=seconds) else "wrong"
    except (TimeoutException, MemoryError):
        return "timeout"
    except Exception:  # noqa: BLE001 - whatever a hostile expression does to the parser, it is no right answer
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
        os._exit(0)  # the parent is gone; whatever is being computed is of no use

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
